package httpapi

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestConfigIsChecked(t *testing.T) {
	_, err := New(Config{Changes: announcerReturning("", nil)})
	for _, want := range []string{"base URL", "Decider", "may announce"} {
		assert.ErrorContains(t, err, want, "every problem is reported")
	}
	for _, base := range []string{"", "pdp.example.org", "ftp://x", "https://", "https://x?y", "https://x#", "https://u:p@x", "/access", "https://x/*"} {
		_, err := New(Config{Decider: allow(), BaseURL: base})
		assert.ErrorContains(t, err, "base URL", base)
		assert.NotContains(t, err.Error(), "u:p", "the URL may contain a password")
	}
}
