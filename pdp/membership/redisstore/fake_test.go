package redisstore

import (
	"bufio"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeRedis sends the same reply to every command; "" sends none, and "close" closes the connection.
type fakeRedis struct {
	listener net.Listener
	answer   atomic.Pointer[string]
	asked    atomic.Int64
}

func startFake(t *testing.T, answer string) *fakeRedis {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f := &fakeRedis{listener: l}
	f.answer.Store(&answer)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			go f.serve(conn)
		}
	}()
	return f
}

func (f *fakeRedis) url() string { return "redis://" + f.listener.Addr().String() }

// serve reads commands in RESP: *n, then n times $size and that many bytes.
func (f *fakeRedis) serve(conn net.Conn) {
	in := bufio.NewReader(conn)
	defer conn.Close()
	for {
		line, err := in.ReadString('\n')
		n, err2 := strconv.Atoi(strings.Trim(line, "*\r\n"))
		if err != nil || err2 != nil {
			return
		}
		for range n {
			head, err := in.ReadString('\n')
			size, err2 := strconv.Atoi(strings.Trim(head, "$\r\n"))
			if err != nil || err2 != nil {
				return
			}
			if _, err := in.Discard(size + 2); err != nil {
				return
			}
		}
		f.asked.Add(1)
		switch answer := *f.answer.Load(); answer {
		case "":
		case "close":
			return
		default:
			if _, err := conn.Write([]byte(answer)); err != nil {
				return
			}
		}
	}
}
