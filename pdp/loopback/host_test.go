package loopback

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestIs(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.8.9.10": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "0.0.0.0": false, "::": false, "10.0.0.1": false, "::ffff:10.0.0.1": false, "127.0.0.1.example.org": false, "localhost.example.org": false,
		"127.1": false, "2130706433": false,
	} {
		assert.Equal(t, want, Is(host), "%q", host)
	}
}
