package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Several runs of the suite at once, one for each language, must not talk to each other's applications.
func TestReservedAddressesDiffer(t *testing.T) {
	known := map[string]bool{}
	for range 500 {
		addr, reservation, err := reserve()
		require.NoError(t, err)
		t.Cleanup(func() { reservation.Close() })
		require.False(t, known[addr], addr)
		known[addr] = true
	}
}
