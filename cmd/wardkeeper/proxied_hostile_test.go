package main

import (
	"net"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/adapters/hostile"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
)

func TestProxiesLetThroughOnlyWhatWasJudged(t *testing.T) {
	skipIfShort(t)
	for _, name := range []string{"haproxy", "apache"} {
		c := proxies[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table, err := routes.Parse(hostile.RouteFile)
			require.NoError(t, err)
			trial, err := hostile.NewTrial(table, hostile.DefaultSite())
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, trial.Close()) })
			addr := pdpAddr(t, c.socket)
			network, at := "tcp", addr
			if c.socket {
				network, at = "unix", strings.TrimPrefix(addr, "unix:")
			}
			listener, err := net.Listen(network, at)
			require.NoError(t, err)
			if c.socket {
				require.NoError(t, os.Chmod(at, 0o666))
			}
			trial.Judge.Serve(listener)
			p := c.start(t, addr, trial.Backend.Addr(), c.patient)
			for mode, what := range map[hostile.Mode]string{hostile.Allow: "allowed", hostile.Deny: "denied", hostile.Fail: "not answered"} {
				cases := hostile.Cases(trial.Site)
				if mode != hostile.Allow {
					cases = cases[:200]
				}
				o, err := trial.Run(t.Context(), hostile.DialTCP(p.addr), cases, mode, true)
				require.NoError(t, err)
				for i, v := range o.Violations {
					isTrailer := strings.Contains(v.Sentence, "it has a trailer")
					if i < 30 && !(isTrailer && name == "haproxy") { // documented in adapters/haproxy/README.md
						assert.Fail(t, v.String(), what)
					}
				}
				assert.Positive(t, o.Asked, what)
				if mode == hostile.Allow {
					assert.Greater(t, o.Arrived, 1000)
				}
				t.Logf("%s: %d cases, %d refused at once, %d asked, %d arrived, %d violations", what, len(cases), o.Refused(), o.Asked, o.Arrived, len(o.Violations))
			}
		})
	}
}
