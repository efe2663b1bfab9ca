package hostile

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
)

// Backend is an application that records the bytes that it gets, and answers 200.
type Backend struct {
	record   *Record
	listener net.Listener
	mu       sync.Mutex
	open     map[net.Conn]bool
	running  sync.WaitGroup
}

// NewBackend listens on a free port of the loopback interface.
func NewBackend(record *Record) (*Backend, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &Backend{record: record, listener: listener, open: map[net.Conn]bool{}}
	b.running.Add(1)
	go b.accept()
	return b, nil
}

// Addr returns the address of the listener.
func (b *Backend) Addr() string { return b.listener.Addr().String() }

// Close closes all connections and waits until everything received is recorded.
func (b *Backend) Close() error {
	err := b.listener.Close()
	b.mu.Lock()
	for conn := range b.open {
		_ = conn.Close()
	}
	b.mu.Unlock()
	b.running.Wait()
	return err
}

func (b *Backend) accept() {
	defer b.running.Done()
	for {
		conn, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.mu.Lock()
		b.open[conn] = true
		b.mu.Unlock()
		b.running.Add(1)
		go b.serve(conn)
	}
}

func (b *Backend) serve(conn net.Conn) {
	defer b.running.Done()
	defer func() {
		_ = conn.Close()
		b.mu.Lock()
		delete(b.open, conn)
		b.mu.Unlock()
	}()
	in := bufio.NewReader(conn)
	for {
		request, err := readRequest(in, func() { _, _ = io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n") })
		if request == nil {
			return
		}
		b.record.add(event{got: request})
		// Even a faulty request is answered, because proxies repeat unanswered requests.
		if !answer(conn, request.Method) || err != nil || len(request.Faults) > 0 || request.Header.Get("Connection") == "close" {
			return
		}
	}
}

// reachedBody is the body of the backend's answers.
const reachedBody = "the application answers\n"

func answer(conn net.Conn, method string) bool {
	body := reachedBody
	if method == http.MethodHead {
		body = ""
	}
	_, err := fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(reachedBody), body)
	return err == nil
}
