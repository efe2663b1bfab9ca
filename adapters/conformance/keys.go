package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/adapters/conformance/decisionpoint"
)

const (
	keysPatience = 10 * time.Second // twice the time in which keys have to be fetched (PEP-8), for a machine that stalls
	keysPause    = 100 * time.Millisecond
)

// keyServer serves the issuer's keys over HTTP.
type keyServer struct {
	listener net.Listener
	keys     []byte
	slowly   bool // sends a byte of the header now and then, and never ends
	running  sync.WaitGroup
	endless  chan bool // whether a slow fetch went on for keysPatience
}

func startKeyServer(keys []byte, slowly bool) (*keyServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &keyServer{listener: l, keys: keys, slowly: slowly, endless: make(chan bool, 1)}
	s.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.running.Go(func() { s.serve(conn) })
		}
	})
	return s, nil
}

func (s *keyServer) close() {
	_ = s.listener.Close()
	s.running.Wait()
}

func (s *keyServer) serve(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * keysPatience)) // later than a slow fetch is over, or it would seem to have been given up
	if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
		return
	}
	if !s.slowly {
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/jwk-set+json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(s.keys), s.keys)
		return
	}
	_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nX-Fill: ")
	for end := time.Now().Add(keysPatience); err == nil && time.Now().Before(end); {
		if _, err = io.WriteString(conn, "x"); err != nil {
			break
		}
		_ = conn.SetReadDeadline(time.Now().Add(keysPause))
		if _, err = conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
	}
	select {
	case s.endless <- err == nil:
	default: // only the first fetch is of interest
	}
}

// fetched is what came of a request that needs keys from a server.
type fetched struct {
	duty, name string
	problems   []string
}

// fetchKeys checks that an application fetches keys, and that no server keeps it fetching. It takes some seconds, so it runs
// beside the other parts, and reports nothing by itself.
func (s *suite) fetchKeys(ctx context.Context) ([]fetched, error) {
	var all []fetched
	for _, f := range []struct {
		duty, name string
		slowly     bool
		c          testCase
	}{
		{"PEP-13", "keys come from the URL of the route file", false, testCase{Request: "GET /users/allow", Status: http.StatusOK}},
		{"PEP-8", "keys that come slowly are waited for in vain", true, testCase{Request: "GET /users/allow", Status: http.StatusServiceUnavailable, Code: "unavailable", Requests: new(int)}},
	} {
		if !s.wants(f.duty) {
			continue
		}
		problems, err := s.fetchKeysFor(ctx, f.c, f.slowly)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		all = append(all, fetched{f.duty, f.name, problems})
	}
	return all, nil
}

// fetchKeysFor starts an application whose keys are at a server, and sends it the request of a case.
func (s *suite) fetchKeysFor(ctx context.Context, c testCase, slowly bool) (problems []string, err error) {
	server, err := startKeyServer(s.issuer.keySet, slowly)
	if err != nil {
		return nil, err
	}
	defer server.close()
	path := filepath.Join(s.dir, fmt.Sprintf("routes-%t.yaml", slowly))
	text := strings.ReplaceAll(routeFile, "keys_file: KEYS_FILE", "keys: http://"+server.listener.Addr().String()+"/keys")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, err
	}
	var pdp *decisionpoint.Server
	var app *application
	if pdp, app, err = s.listen(ctx, "tcp", "127.0.0.1:0", nil, urlOf, patience, "ROUTES_FILE="+path); err != nil {
		return nil, err
	}
	defer pdp.Close()
	defer app.stop()
	defer context.AfterFunc(ctx, app.stop)() // it may be waiting for keys
	problems, err = s.check(&c, pdp, app)
	if err != nil || !slowly {
		return problems, err
	}
	select {
	case endless := <-server.endless:
		if endless {
			problems = append(problems, fmt.Sprintf("the application is still fetching keys after %s, want that it stops after 5s", keysPatience))
		}
	case <-time.After(2 * keysPatience):
		problems = append(problems, "the application has not fetched the keys")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return problems, nil
}
