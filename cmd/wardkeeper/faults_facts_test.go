package main

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// trusted removes the lease: facts stay confirmed although nobody is heard of.
var trusted = []removal{without("pdp/membership/freshness/check.go", "if s.live(now, t.lease) {", "if true {", revokedIsAllowed)}

// factsFaults are those of Redis and PostgreSQL.
var factsFaults = map[string]fault{
	"Redis killed": {
		announced: true, unprotected: trusted,
		begin: func(f *faultTest) { f.redis.Stop() },
		ready: `"shared_lost":true`, metrics: `^wardkeeper_membership_feed_live{feed="stream"} 0$`, log: "membership facts are not confirmed",
		end: func(f *faultTest) { f.redis.Start() },
	},
	"Redis paused": {
		announced: true, unprotected: trusted,
		begin: func(f *faultTest) { f.redis.Pause() },
		ready: `"shared_lost":true`, metrics: `^wardkeeper_membership_feed_live{feed="stream"} 0$`, log: "membership facts are not confirmed",
		end: func(f *faultTest) { f.redis.Resume() },
	},
	// The revocation was announced elsewhere, and the announcement is gone with the rest.
	"Redis emptied": {
		announced: true,
		unprotected: []removal{
			without("pdp/membership/redisstore/follow.go",
				"case state.position.Epoch != f.position.Epoch:", "case false:", revokedIsAllowed),
		},
		begin: func(f *faultTest) {
			f.announce = nil
			f.revoke()
			f.redis.FlushAll()
		},
		metrics: `^wardkeeper_membership_feed_breaks_total{feed="stream"} [1-9]`, log: "membership facts are not confirmed",
	},
	"Redis slow": {
		announced: true, unprotected: trusted,
		setUp: func(f *faultTest) {
			delay := startDelay(f.t, f.redis.Addr())
			f.redisURL, f.slow = "redis://"+delay.addr, delay.by
		},
		begin: func(f *faultTest) { f.slow(300 * time.Millisecond) },
		ready: `"shared_lost":true`, metrics: `^wardkeeper_membership_feed_live{feed="stream"} 0$`, log: "membership facts are not confirmed",
		end: func(f *faultTest) { f.slow(0) },
	},
	"PostgreSQL killed": {
		ownDatabase: true, unprotected: trusted,
		begin: func(f *faultTest) {
			f.postgres.Pause()
			f.revokeMeanwhile() // the news is on its way
			f.postgres.Kill()
		},
		ready: `"missing":\["directory"\]`, metrics: `^wardkeeper_membership_feed_live{feed="listen"} 0$`, log: "the database does not answer: queries are suspended",
		end: func(f *faultTest) { f.postgres.Start() },
	},
	"PostgreSQL paused": {
		ownDatabase: true,
		unprotected: append(trusted, without("pdp/membership/pgorigin/breaker.go",
			"\t\treturn errSuspended\n", "\t\tdone = func(error) {}\n", "questions during the fault")),
		begin: func(f *faultTest) {
			f.postgres.Pause()
			f.revokeMeanwhile()
		},
		ready: `"missing":\["directory"\]`, metrics: `^wardkeeper_membership_feed_live{feed="listen"} 0$`, log: "the database does not answer: queries are suspended",
		end: func(f *faultTest) { f.postgres.Resume() },
	},
	// The server writes nothing, so it goes on as before: facts are confirmed, and a change by somebody who may write is heard.
	"PostgreSQL read-only": {
		unprotected: []removal{
			without("pdp/membership/pgorigin/queries.go",
				"u WHERE u.id::text = $1 LIMIT 2",
				"u WHERE u.id::text = $1 LIMIT 2 FOR SHARE", "cannot execute SELECT FOR SHARE in a read-only transaction"),
		},
		begin: func(f *faultTest) {
			servertest.Exec(f.t, f.admin, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$")
			terminateBackends(f) // the new connections are read-only
			waitUntil(f.t, "it is read-only", func() bool { return f.postgresReadOnly() })
			f.d.waitForLog(f.t, "listening to the database for all sidecars", 2) // once more, over one of them
		},
		metrics: "^wardkeeper_membership_vouched 1$",
	},
}

// revokeMeanwhile revokes over a connection of its own while all other processes of the database are paused, so that nobody is told.
func (f *faultTest) revokeMeanwhile() {
	f.t.Helper()
	require.NoError(f.t, unix.Kill(int(f.admin.PgConn().PID()), unix.SIGCONT))
	late := time.AfterFunc(5*time.Second, f.postgres.Resume) // another process may have been paused with a lock
	f.revoke()
	if !late.Stop() {
		f.postgres.Pause()
	}
}

func (f *faultTest) postgresReadOnly() bool {
	var on string
	require.NoError(f.t, servertest.Connect(f.t, f.url).QueryRow(f.t.Context(), "SHOW transaction_read_only").Scan(&on))
	return on == "on"
}

// delay is a TCP proxy that can pass everything on later.
type delay struct {
	addr string
	by   func(time.Duration)
}

func startDelay(t *testing.T, to string) *delay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	var pause atomic.Int64
	pass := func(to, from net.Conn) {
		defer func() { _ = to.Close(); _ = from.Close() }()
		buffer := make([]byte, 64<<10)
		for {
			n, err := from.Read(buffer)
			if err != nil {
				return
			}
			time.Sleep(time.Duration(pause.Load()))
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			go pass(server, client)
			go pass(client, server)
		}
	}()
	return &delay{listener.Addr().String(), func(d time.Duration) { pause.Store(int64(d)) }}
}
