package servertest

import (
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
)

// StartMiniredis starts miniredis, a Redis server within the test process. It also works with -short. INFO reports a
// run_id, which plain miniredis does not. Keys expire only through [miniredis.Miniredis.FastForward].
func StartMiniredis(t testing.TB) *miniredis.Miniredis {
	t.Helper()
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	m.Server().SetPreHook(func(c *server.Peer, cmd string, args ...string) bool {
		if cmd != "INFO" || len(args) != 1 {
			return false
		}
		switch strings.ToLower(args[0]) {
		case "server":
			c.WriteBulk("# Server\r\nrun_id:00000000000000000000000000000000000000aa\r\n")
		case "replication":
			c.WriteBulk("# Replication\r\nrole:master\r\nconnected_slaves:0\r\nmaster_replid:00000000000000000000000000000000000000bb\r\n")
		default:
			return false
		}
		return true
	})
	return m
}
