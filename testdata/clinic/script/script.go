package script

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// Target is a protected clinic.
type Target struct {
	File   string // script.yaml
	URL    string // for the requests of persons: http://HOST:PORT
	Clinic string // the URL of the clinic itself, without protection
	// SignIn returns the value of the Authorization header field of a person. kind is "", "expired" or "forged".
	SignIn func(person, kind string) string
	// StopPDP stops the decision point.
	StopPDP func()
}

// Case is a request and the expected results.
type Case struct {
	Name    string
	As      string // NAME@LOCATION; "" if nobody has signed in
	Token   string // "", "expired" or "forged"
	Request string // METHOD TARGET
	Headers []string
	Body    string
	Chunked bool
	Stopped bool

	Status               int
	Passes               *bool
	Person               *string // the person that the clinic takes for the sender; nil means As
	Page                 bool
	Contains             string
	Code                 string
	Reason, Rule, Advice string
	Did                  []string
}

// Load reads a script.
func Load(file string) ([]Case, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var script struct{ Cases []Case }
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&script); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return script.Cases, nil
}

// Run sends the requests of the script, one after the other.
func Run(t *testing.T, target Target) {
	t.Helper()
	cases, err := Load(target.File)
	require.NoError(t, err)
	require.Greater(t, len(cases), 40)
	stopped := false
	for _, c := range cases {
		if c.Stopped && !stopped {
			target.StopPDP()
			stopped = true
		}
		t.Run(c.Name, func(t *testing.T) { target.Try(t, c) })
	}
}

// Try sends one request and checks the results.
func (target Target) Try(t *testing.T, c Case) {
	t.Helper()
	target.journal(t) // discards earlier entries
	response, body := target.send(t, c)
	c.check(t, response, body)
	assert.Equal(t, c.journal(), target.journal(t), "what reached the clinic, and what it did")
}

func (c Case) passes() bool {
	if c.Passes != nil {
		return *c.Passes
	}
	return c.Status < http.StatusBadRequest
}

// person returns the person that the clinic must take for the sender.
func (c Case) person() string {
	name, _, _ := strings.Cut(c.As, "@")
	if c.Person != nil {
		name = *c.Person
	}
	return name
}

// journal returns the expected entries of the clinic's journal.
func (c Case) journal() []string {
	entries := []string{}
	if c.passes() {
		entries = append(entries, c.Request+" by "+c.person())
	}
	return append(entries, c.Did...)
}

// check checks the response that the person gets.
func (c Case) check(t *testing.T, r *http.Response, body string) {
	t.Helper()
	require.Equal(t, c.Status, r.StatusCode, "%v\n%s", r.Header, body)
	assert.Contains(t, body, c.Contains)
	for name := range r.Header {
		assert.False(t, strings.HasPrefix(name, "X-Wardkeeper-"), "%s is for the proxy", name)
	}
	if c.Page {
		assert.Equal(t, []string{"text/html; charset=utf-8"}, r.Header["Content-Type"])
	}
	if c.passes() {
		assert.Equal(t, c.person(), r.Header.Get("X-Clinic-Person"))
		return
	}
	if c.Code == "" && !c.Page {
		return // the proxy itself may have refused it
	}
	assert.Equal(t, []string{"no-store"}, r.Header["Cache-Control"])
	c.checkRequestID(t, r.Header["X-Request-Id"])
	if c.Status == http.StatusServiceUnavailable {
		assert.Len(t, r.Header["Retry-After"], 1)
	} else {
		assert.NotContains(t, r.Header, "Retry-After")
	}
	assert.Equal(t, c.Status == http.StatusUnauthorized, r.Header.Get("Www-Authenticate") != "")
	if c.Page {
		assert.True(t, strings.HasPrefix(strings.ToLower(body), "<!doctype html>"), body)
		return
	}
	c.checkProblem(t, r, body)
}

// checkRequestID checks the request id of a refusal: the person's, unless that has a space.
func (c Case) checkRequestID(t *testing.T, ids []string) {
	t.Helper()
	require.Len(t, ids, 1)
	assert.Regexp(t, `^[!-~]{1,128}$`, ids[0])
	for _, header := range c.Headers {
		if sent, ok := strings.CutPrefix(header, "X-Request-ID: "); ok && !strings.Contains(sent, " ") {
			assert.Equal(t, sent, ids[0])
		}
	}
}

// checkProblem checks the problem details of a refusal.
func (c Case) checkProblem(t *testing.T, r *http.Response, body string) {
	t.Helper()
	assert.Equal(t, []string{"application/problem+json"}, r.Header["Content-Type"])
	type reason struct{ Code, Message, Rule string }
	var problem struct {
		Status          int
		Code, Detail    string
		Reasons, Advice []reason
	}
	require.NoError(t, json.Unmarshal([]byte(body), &problem), body)
	assert.Equal(t, c.Status, problem.Status)
	assert.Equal(t, c.Code, problem.Code)
	assert.NotEmpty(t, problem.Detail)
	if c.Reason != "" && assert.NotEmpty(t, problem.Reasons, body) {
		assert.Equal(t, c.Reason, problem.Reasons[0].Code)
		assert.NotEmpty(t, problem.Reasons[0].Message)
	}
	if c.Rule != "" && assert.NotEmpty(t, problem.Reasons, body) {
		assert.Equal(t, c.Rule, problem.Reasons[0].Rule)
	}
	if c.Advice != "" && assert.NotEmpty(t, problem.Advice, body) {
		assert.Equal(t, c.Advice, problem.Advice[0].Code)
	}
}

// answerWithin bounds the wait for a response. It is long because test machines can be slow.
const answerWithin = time.Minute

// send writes a request verbatim, on a connection of its own.
func (target Target) send(t *testing.T, c Case) (r *http.Response, body string) {
	t.Helper()
	lines := []string{c.Request + " HTTP/1.1", "Host: clinic.example.org", "Connection: close"}
	if person, location, ok := strings.Cut(c.As, "@"); ok {
		lines = append(lines, "Authorization: "+target.SignIn(person, c.Token), "X-Location: "+location)
	}
	lines = append(lines, c.Headers...)
	payload := c.Body
	switch {
	case c.Chunked:
		lines = append(lines, "Transfer-Encoding: chunked")
		payload = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(c.Body), c.Body)
	case c.Body != "":
		lines = append(lines, fmt.Sprintf("Content-Length: %d", len(c.Body)))
	}
	u, err := url.Parse(target.URL)
	require.NoError(t, err)
	conn, err := net.DialTimeout("tcp", u.Host, answerWithin)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(answerWithin)))
	_, err = io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"+payload)
	require.NoError(t, err)
	method, _, _ := strings.Cut(c.Request, " ")
	r, err = http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	require.NoError(t, err)
	defer func() { _ = r.Body.Close() }()
	data, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return r, string(data)
}

// journal returns what the clinic has written since the last call.
func (target Target) journal(t *testing.T) []string {
	t.Helper()
	client := http.Client{Timeout: answerWithin}
	r, err := client.Get(target.Clinic + "/journal")
	require.NoError(t, err)
	defer func() { _ = r.Body.Close() }()
	var entries []string
	require.NoError(t, json.NewDecoder(r.Body).Decode(&entries))
	return entries
}
