package hostile

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of one connection.
const (
	parallel    = 16
	dialTimeout = 10 * time.Second
	patient     = 60 * time.Second       // without a byte from the proxy, for a request that is not hostile
	idle        = 2 * time.Second        // the same for hostile requests; a later answer is merely not examined
	idleHanging = 250 * time.Millisecond // the same for an incomplete request
	maxAnswers  = 1 << 20                // bytes of answers that are read
)

// Answer is what a client got for a case.
type Answer struct {
	Case   Case
	Status int    // of the first answer; 0 if the connection was closed without one
	Text   string // all answers, unparsed
	Closed bool   // the proxy closed the connection
	Err    error  // why there was no connection
}

// Run sends the cases to a proxy and returns what the clients got, in the order of the cases. Each case of HTTP/1.1 has a
// connection of its own.
func Run(ctx context.Context, dial func(ctx context.Context) (net.Conn, error), cases []Case) []Answer {
	answers := make([]Answer, len(cases))
	next := make(chan int)
	var running sync.WaitGroup
	for range parallel {
		running.Go(func() {
			var streams *conn2
			for i := range next {
				if cases[i].stream == nil {
					answers[i] = send(ctx, dial, cases[i])
					continue
				}
				streams, answers[i] = sendOn(ctx, streams, dial, cases[i])
			}
			if streams != nil {
				_ = streams.Close()
			}
		})
	}
	for i := range cases {
		if ctx.Err() != nil {
			answers[i] = Answer{Case: cases[i], Err: ctx.Err()}
			continue
		}
		next <- i
	}
	close(next)
	running.Wait()
	return answers
}

// DialTCP returns a dial function for [Run].
func DialTCP(addr string) func(ctx context.Context) (net.Conn, error) { return dial("tcp", addr) }

// DialUnix returns a dial function for [Run].
func DialUnix(path string) func(ctx context.Context) (net.Conn, error) { return dial("unix", path) }

func dial(network, addr string) func(ctx context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		dialer := net.Dialer{Timeout: dialTimeout}
		return dialer.DialContext(ctx, network, addr)
	}
}

// sendOn sends a case of HTTP/2 on a connection, or on a new one if conn is nil. It returns the connection for the next case.
func sendOn(ctx context.Context, conn *conn2, dial func(ctx context.Context) (net.Conn, error), c Case) (*conn2, Answer) {
	for {
		isNew := conn == nil
		if isNew {
			raw, err := dial(ctx)
			if err != nil {
				return nil, Answer{Case: c, Err: err}
			}
			if conn, err = open2(raw); err != nil {
				_ = raw.Close()
				return nil, Answer{Case: c, Err: err}
			}
		}
		answer, broken, err := conn.send(c, patienceFor(c))
		if broken || err != nil {
			_ = conn.Close()
			conn = nil
		}
		if err == nil || isNew {
			answer.Closed = answer.Closed || err != nil
			return conn, answer
		}
	}
}

// patienceFor returns how long to wait for an answer.
func patienceFor(c Case) time.Duration {
	switch {
	case c.Hangs:
		return idleHanging
	case c.Class == PlainClass:
		return patient
	}
	return idle
}

func send(ctx context.Context, dial func(ctx context.Context) (net.Conn, error), c Case) Answer {
	answer := Answer{Case: c}
	conn, err := dial(ctx)
	if err != nil {
		answer.Err = err
		return answer
	}
	defer func() { _ = conn.Close() }()
	patience := patienceFor(c)
	_ = conn.SetWriteDeadline(time.Now().Add(patient))
	go func() { _, _ = conn.Write(c.Raw) }() // the proxy may answer and close before it has read everything
	var text strings.Builder
	buffer := make([]byte, 16<<10)
	for text.Len() < maxAnswers {
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		n, err := conn.Read(buffer)
		text.Write(buffer[:n])
		if err != nil {
			answer.Closed = !errors.Is(err, os.ErrDeadlineExceeded)
			break
		}
	}
	answer.Text = text.String()
	answer.Status = statusOf(answer.Text)
	return answer
}

// statusOf returns the status of the first answer that is not 1xx, or 0.
func statusOf(text string) int {
	for strings.HasPrefix(text, "HTTP/1.1 1") {
		_, rest, ok := strings.Cut(text, "\r\n\r\n")
		if !ok {
			return 0
		}
		text = rest
	}
	if !strings.HasPrefix(text, "HTTP/1.") || len(text) < len("HTTP/1.1 200") {
		return 0
	}
	status, err := strconv.Atoi(text[len("HTTP/1.1 "):len("HTTP/1.1 200")])
	if err != nil {
		return 0
	}
	return status
}
