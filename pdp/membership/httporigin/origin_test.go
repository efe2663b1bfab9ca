package httporigin

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
)

func TestOriginPassesAcceptance(t *testing.T) {
	for name, change := range map[string]func(*origintest.Application){
		"with versions":    func(*origintest.Application) {},
		"without versions": func(a *origintest.Application) { a.OmitVersions = true },
	} {
		t.Run(name, func(t *testing.T) {
			origintest.TestOrigin(t, func(t *testing.T, document string) (membership.Origin, func(string)) {
				a := origintest.NewApplication(t, document)
				change(a)
				return openOrigin(t, a, a.Serve().URL, nil), a.Replace
			})
		})
	}
}

// openOrigin opens an origin that queries a.
func openOrigin(t testing.TB, a *origintest.Application, address string, change func(*Config)) *Origin {
	t.Helper()
	cfg := Config{URL: strings.TrimRight(address, "/") + "/membership", Timeout: fixture.Timeout}
	if change != nil {
		change(&cfg)
	}
	h, err := Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	return h
}
