package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startTimeout   = time.Minute
	requestTimeout = time.Minute
)

// application is a running sample application.
type application struct {
	cmd         *exec.Cmd
	addr        string
	reservation io.Closer // of addr
	log         logBuffer
	exited      chan struct{}
}

// logBuffer records the application's output. It is safe for concurrent use.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// startApplication starts the sample application and waits until it accepts connections.
func startApplication(ctx context.Context, command, environment []string) (*application, error) {
	addr, reservation, err := reserve()
	if err != nil {
		return nil, err
	}
	a := &application{addr: addr, reservation: reservation, exited: make(chan struct{})}
	a.cmd = exec.Command(command[0], command[1:]...)
	a.cmd.Env = append(append(os.Environ(), environment...), "LISTEN_ADDR="+addr)
	a.cmd.Stdout, a.cmd.Stderr = &a.log, &a.log
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that stop also ends the processes that it starts
	if err := a.cmd.Start(); err != nil {
		reservation.Close()
		return nil, fmt.Errorf("the sample application does not start: %w", err)
	}
	go func() {
		_ = a.cmd.Wait()
		close(a.exited)
	}()
	deadline := time.After(startTimeout)
	for {
		if conn, err := net.Dial("tcp", addr); err == nil {
			return a, conn.Close()
		}
		select {
		case <-a.exited:
			reservation.Close()
			return nil, fmt.Errorf("the sample application has ended:\n%s", a.log.String())
		case <-deadline:
			a.stop()
			return nil, fmt.Errorf("the sample application does not listen at %s within %s:\n%s", addr, startTimeout, a.log.String())
		case <-ctx.Done():
			a.stop()
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Ports of applications. The system gives none of them to a program that listens at any port.
const firstPort, lastPort = 20_000, 32_000

// reserve returns an address at which nothing listens, and which no other run of the suite gives to its application until the
// reservation is closed: an application that does not get its address leaves the suite to talk to another one. What is reserved
// are pairs of ports: the application has the first, and the suite listens at the second.
func reserve() (addr string, reservation io.Closer, err error) {
	for range lastPort - firstPort {
		port := firstPort + 2*rand.IntN((lastPort-firstPort)/2)
		reservation, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
		if err != nil {
			continue
		}
		addr = fmt.Sprintf("127.0.0.1:%d", port)
		var l net.Listener
		if l, err = net.Listen("tcp", addr); err == nil {
			return addr, reservation, l.Close()
		}
		reservation.Close()
	}
	return "", nil, fmt.Errorf("no port is free for the sample application: %w", err)
}

func (a *application) stop() {
	_ = syscall.Kill(-a.cmd.Process.Pid, syscall.SIGKILL)
	<-a.exited
	a.reservation.Close()
}

// response is a response of the sample application.
type response struct {
	status int
	header http.Header
	body   string
}

// send sends a request unchanged, on a connection of its own.
func (a *application) send(request, method string) (response, error) {
	conn, err := net.DialTimeout("tcp", a.addr, requestTimeout)
	if err != nil {
		return response{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return response{}, err
	}
	if _, err := io.WriteString(conn, request); err != nil {
		return response{}, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return response{}, fmt.Errorf("the sample application sent no response: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return response{}, err
	}
	return response{resp.StatusCode, resp.Header, string(body)}, nil
}

// text returns the request of a case. Fields that may occur several times come last.
func (c *testCase) text(addr string, authorization []string) (text, method string) {
	method, target, _ := strings.Cut(c.Request, " ")
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nConnection: close\r\n", method, target)
	if _, ok := c.Headers["Host"]; !ok {
		fmt.Fprintf(&b, "Host: %s\r\n", addr)
	}
	for name, value := range c.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", name, value)
	}
	for _, field := range c.Fields {
		fmt.Fprintf(&b, "%s\r\n", field)
	}
	for _, value := range authorization {
		fmt.Fprintf(&b, "Authorization: %s\r\n", value)
	}
	body := c.Send
	if c.Fill > 0 {
		body = `{"fill":"` + strings.Repeat("x", c.Fill) + `",` + body[1:]
	}
	switch {
	case c.Chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n")
		body = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	case body != "":
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	return b.String() + "\r\n" + body, method
}
