package decisionpoint

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// settling is how long the end of a connection may take to be known. The slow answers take five times as long.
const settling = 20 * time.Millisecond

// Request is a request that reached the server.
type Request struct {
	Path       string
	Header     http.Header
	Questions  []authzen.Evaluation
	Connection int // counts from 1
}

// Server is a running decision point. It is safe for concurrent use.
type Server struct {
	listener net.Listener
	running  sync.WaitGroup

	mu          sync.Mutex
	requests    []Request
	connections map[net.Conn]int
	opened      int
	mostOpen    int
	attempts    map[string]int // requests by resource, for behaviors that depend on the attempt
	answers     map[string]string
	others      bool // whether everything else is allowed, too
}

// Start serves on l until [Server.Close]. A nil configuration means without TLS.
func Start(l net.Listener, config *tls.Config) *Server {
	if config != nil {
		l = tls.NewListener(l, config)
	}
	s := &Server{listener: l, connections: map[net.Conn]int{}, attempts: map[string]int{}}
	s.running.Go(s.accept)
	return s
}

// SetAnswers sets the bodies of the answers to single questions about other resources than those of [Behaviors], by resource.
func (s *Server) SetAnswers(answers map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = answers
}

// AllowOthers makes the server allow what is asked about other resources than those of [Behaviors], too.
func (s *Server) AllowOthers() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.others = true
}

// Addr returns the server's address.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Close stops the server and breaks its connections.
func (s *Server) Close() {
	_ = s.listener.Close()
	s.mu.Lock()
	for conn := range s.connections {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}

// Requests returns the requests received since its last call.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests := s.requests
	s.requests = nil
	return requests
}

// MostOpen returns the largest number of connections open at once since its last call.
func (s *Server) MostOpen() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	most := s.mostOpen
	s.mostOpen = len(s.connections)
	return most
}

// Opened returns how many connections have been opened since Start.
func (s *Server) Opened() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.opened++
		number := s.opened
		s.connections[conn] = number
		s.mu.Unlock()
		s.running.Go(func() { s.serve(conn, number) })
		// A connection that was closed before this one was opened may not be known yet to be.
		s.running.Go(func() {
			time.Sleep(settling)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.mostOpen = max(s.mostOpen, len(s.connections))
		})
	}
}

func (s *Server) serve(conn net.Conn, number int) {
	defer func() {
		s.mu.Lock()
		delete(s.connections, conn)
		s.mu.Unlock()
		_ = conn.Close()
	}()
	reader := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		body, err := io.ReadAll(io.LimitReader(req.Body, authzen.MaxBody))
		if err != nil {
			return
		}
		if !s.answer(conn, number, req, body) {
			return
		}
	}
}

// answer reports whether the connection stays open.
func (s *Server) answer(conn net.Conn, number int, req *http.Request, body []byte) bool {
	e := exchange{conn: conn, id: req.Header.Get("X-Request-Id"), path: req.URL.Path}
	batch, err := authzen.DecodeEvaluations(body)
	if err != nil && req.Method == http.MethodPost {
		return e.respond(http.StatusBadRequest, jsonType, `{"error":"The request is malformed."}`)
	}
	seen := Request{Path: req.URL.Path, Header: req.Header, Connection: number}
	for _, item := range batch.Items {
		seen.Questions = append(seen.Questions, item.Evaluation)
	}
	s.mu.Lock()
	s.requests = append(s.requests, seen)
	if len(seen.Questions) > 0 {
		id := seen.Questions[0].Resource.ID
		s.attempts[id]++
		e.attempt = s.attempts[id]
	}
	more, others := s.answers, s.others
	s.mu.Unlock()
	if req.URL.Path == redirected {
		return e.respond(http.StatusOK, jsonType, allowed) // a client that follows redirects gets an allow
	}
	if len(seen.Questions) == 0 {
		return e.respond(http.StatusNotFound, jsonType, `{"error":"There is no such endpoint."}`)
	}
	behavior, ok := behaviors[seen.Questions[0].Resource.ID]
	if batch.Single && ok && behavior.play != nil {
		return behavior.play(&e)
	}
	if answer, found := more[seen.Questions[0].Resource.ID]; batch.Single && !ok && found {
		return e.respond(http.StatusOK, jsonType, answer)
	}
	if batch.Single && !ok && others {
		return e.respond(http.StatusOK, jsonType, allowed)
	}
	answers := make([]string, len(seen.Questions))
	for i, q := range seen.Questions {
		answers[i] = answerTo(q)
	}
	if batch.Single {
		return e.respond(http.StatusOK, jsonType, answers[0])
	}
	switch seen.Questions[0].Resource.ID {
	case "batch-fewer":
		answers = answers[1:]
	case "batch-more":
		answers = append(answers, allowed)
	case "batch-number":
		answers[0] = `{"decision":1}`
	}
	return e.respond(http.StatusOK, jsonType, `{"evaluations":[`+strings.Join(answers, ",")+`]}`)
}

// answerTo returns the answer to a question of a batch, or to a single one whose behavior is only a body: by the action if
// that is "allow" or "deny", else by the resource. The default is a denial.
func answerTo(q authzen.Evaluation) string {
	switch q.Action.Name {
	case "allow":
		return allowed
	case "deny":
		return denied
	}
	if b, ok := behaviors[q.Resource.ID]; ok && b.answer != "" {
		return b.answer
	}
	return denied
}

// Behaviors returns the ids of resources that have a behavior, sorted.
func Behaviors() []string {
	var ids []string
	for id := range behaviors {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Permits reports whether the answer for a resource permits the action of an application whose handlers are those of the
// sample applications (adapters/CONTRACT.md).
func Permits(id string) bool { return behaviors[id].permits }

// exchange is a request that is being answered.
type exchange struct {
	conn    net.Conn
	id      string // X-Request-ID
	path    string
	attempt int // of this resource, counts from 1
}

const jsonType = "Content-Type: application/json\r\n"

// respond sends a well-formed HTTP response.
func (e *exchange) respond(status int, header, body string) bool {
	return e.send(e.head(status, header+"Content-Length: "+strconv.Itoa(len(body))+"\r\n") + body)
}

func (e *exchange) head(status int, header string) string {
	id := ""
	if e.id != "" {
		id = "X-Request-ID: " + e.id + "\r\n"
	}
	return "HTTP/1.1 " + strconv.Itoa(status) + " " + http.StatusText(status) + "\r\n" + id + header + "\r\n"
}

func (e *exchange) send(text string) bool {
	_, err := io.WriteString(e.conn, text)
	return err == nil
}
