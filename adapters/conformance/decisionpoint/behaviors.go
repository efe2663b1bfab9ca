package decisionpoint

import (
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// behavior is the reaction to a question.
type behavior struct {
	answer  string                 // the body of an otherwise well-formed answer
	play    func(e *exchange) bool // for everything else; reports whether the connection stays open
	permits bool
}

const (
	allowed    = `{"decision":true}`
	denied     = `{"decision":false,"context":{"reasons":[{"code":"not_permitted","message":"This user is not one of yours.","rule":"TEST-1"}],"advice":[{"code":"ask","message":"Ask the office.","rule":"TEST-1"}]}}`
	redirected = "/redirected"
)

// Behaviors whose names begin with "not-" are not answers: the application must permit nothing and answer 503.
var behaviors = func() map[string]behavior {
	all := map[string]behavior{
		// Answers.
		"allow":         {answer: allowed, permits: true},
		"deny":          {answer: denied},
		"deny-bare":     {answer: `{"decision":false}`},
		"allow-unknown": {answer: `{"decision":true,"context":{"reason_admin":{"en":"Fine."},"x":[1,{"y":null}]},"more":{}}`, permits: true},
		"allow-spaced":  {answer: " {\r\n\t\"decision\" : true }\n", permits: true},
		"allow-charset": {play: typed(`application/json; charset=UTF-8`), permits: true},
		"allow-cased":   {play: typed(`Application/JSON`), permits: true},
		"allow-quoted":  {play: typed(`application/json;charset="utf-8"`), permits: true},
		"allow-chunked": {play: chunked(true), permits: true},
		"allow-after-1xx": {play: func(e *exchange) bool {
			return e.send("HTTP/1.1 103 Early Hints\r\n\r\n") && e.respond(200, jsonType, allowed)
		}, permits: true},
		"allow-closing": {play: func(e *exchange) bool { e.respond(200, jsonType+"Connection: close\r\n", allowed); return false }, permits: true},

		// Verdicts that change.
		"allow-once": {play: func(e *exchange) bool {
			if e.attempt == 1 {
				return e.respond(200, jsonType, allowed)
			}
			return e.respond(200, jsonType, denied)
		}, permits: true},

		"allow-slowly": {play: func(e *exchange) bool { return e.wait(100*time.Millisecond) && e.respond(200, jsonType, allowed) }, permits: true},

		// Obligations. The application can do e-mail and confirmations.
		"obliged-email":           {answer: oblige(true, email), permits: true},
		"obliged-twice":           {answer: oblige(true, email, email2), permits: true},
		"obliged-nothing":         {answer: oblige(true), permits: true},
		"obliged-null":            {answer: `{"decision":true,"context":{"obligations":null}}`, permits: true},
		"obliged-confirm":         {answer: oblige(true, confirm)},
		"obliged-pigeon":          {answer: oblige(true, pigeon)},
		"obliged-fault":           {answer: oblige(true, fault)},
		"obliged-fault-email":     {answer: oblige(true, fault, email)},
		"obliged-warn":            {answer: oblige(true, warn)},
		"obliged-unknown":         {answer: oblige(true, unknown)},
		"obliged-email-unknown":   {answer: oblige(true, unknown, email)},
		"obliged-confirm-unknown": {answer: oblige(true, confirm, unknown)},
		"denied-email":            {answer: oblige(false, email)},

		"not-obliged-object":     {answer: `{"decision":true,"context":{"obligations":{"id":"N","type":"notification"}}}`},
		"not-obliged-text":       {answer: oblige(true, `"notification"`)},
		"not-obliged-typeless":   {answer: oblige(true, `{"id":"N","properties":{}}`)},
		"not-obliged-properties": {answer: oblige(true, `{"id":"N","type":"notification","properties":"email"}`)},

		// Responses with status 200 that are not answers.
		"not-error":           {answer: `{"decision":true,"context":{"error":{"status":500,"message":"Try again."}}}`},
		"not-text":            {answer: `{"decision":"true"}`},
		"not-number":          {answer: `{"decision":1}`},
		"not-null":            {answer: `{"decision":null}`},
		"not-list":            {answer: `{"decision":[true]}`},
		"not-missing":         {answer: `{"allow":true,"result":true}`},
		"not-cased":           {answer: `{"Decision":true}`},
		"not-escaped":         {answer: `{"decision\u0000":true}`},
		"not-nested":          {answer: `{"result":{"decision":true}}`},
		"not-array":           {answer: `[{"decision":true}]`},
		"not-bare":            {answer: `true`},
		"not-empty":           {play: func(e *exchange) bool { return e.respond(200, jsonType, "") }},
		"not-context":         {answer: `{"decision":true,"context":"none"}`},
		"not-twice":           {answer: `{"decision":false,"decision":true}`},
		"not-twice-same":      {answer: `{"decision":true,"decision":true}`},
		"not-twice-escaped":   {answer: `{"decision":false,"\u0064ecision":true}`},
		"not-twice-context":   {answer: `{"decision":true,"context":{"obligations":[` + unknown + `]},"context":{}}`},
		"not-twice-deep":      {answer: `{"decision":true,"context":{"x":[{"y":{"a":1,"a":2}}]}}`},
		"not-twice-elsewhere": {answer: `{"decision":true,"more":{"a":1,"a":2}}`},
		"not-twice-within":    {answer: `{"decision":true,"context":{"obligations":[` + unknown + `],"obligations":[]}}`},
		"not-trailing":        {answer: `{"decision":true}}`},
		"not-trailing-denial": {answer: `{"decision":true}{"decision":false}`},
		"not-truncated":       {answer: `{"decision":true`},
		"not-comma":           {answer: `{"decision":true,}`},
		"not-comment":         {answer: `{"decision":true/**/}`},
		"not-quotes":          {answer: `{'decision':true}`},
		"not-python":          {answer: `{"decision":True}`},
		"not-byte-order-mark": {answer: "\ufeff" + allowed},
		"not-utf-8":           {answer: "{\"decision\":true,\"context\":{\"x\":\"\xff\"}}"},
		"not-surrogate":       {answer: `{"decision":true,"context":{"x":"\ud800"}}`},
		"not-control":         {answer: "{\"decision\":true,\"context\":{\"x\":\"\x00\"}}"},
		"not-infinite":        {answer: `{"decision":true,"context":{"x":NaN}}`},
		"not-deep":            {answer: `{"decision":true,"context":{"x":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}}`},
		"not-html":            {answer: `<html>{"decision":true}</html>`},
		"not-sequence":        {answer: "\x1e" + allowed + "\n"},
		"not-form":            {answer: `decision=true`},
		"not-large":           {play: func(e *exchange) bool { return e.respond(200, jsonType, allowed+strings.Repeat(" ", 2<<20)) }},
		"not-large-chunked":   {play: func(e *exchange) bool { return e.endless("3e8\r\n"+strings.Repeat(" ", 1000)+"\r\n", 3<<20) }},
		"not-endless-header": {play: func(e *exchange) bool {
			return e.send("HTTP/1.1 200 OK\r\n") && e.endless("X-Fill: "+strings.Repeat("x", 1000)+"\r\n", 16<<20)
		}},
		"not-plain-type":    {play: typed("text/plain")},
		"not-html-type":     {play: typed("text/html")},
		"not-similar-type":  {play: typed("application/jsonp")},
		"not-problem-type":  {play: typed("application/problem+json")},
		"not-list-of-types": {play: typed("application/json, text/html")},
		"not-parameter":     {play: typed(`application/json; profile="https://example.org/other"`)},
		"not-two-charsets":  {play: typed("application/json; charset=utf-8; charset=utf-8")},
		"not-other-charset": {play: typed("application/json; charset=utf-16")},
		"not-two-types":     {play: header("Content-Type: text/html\r\n" + jsonType)},
		"not-second-type":   {play: header(jsonType + "Content-Type: text/html\r\n")},
		"not-without-type":  {play: header("")},
		"not-encoded":       {play: header(jsonType + "Content-Encoding: gzip\r\n")},
		"not-identity":      {play: header(jsonType + "Content-Encoding: identity\r\n")},
		"not-two-encodings": {play: header(jsonType + "Content-Encoding:\r\nContent-Encoding: gzip\r\n")},
		"not-two-ids": {play: func(e *exchange) bool {
			return e.respond(200, jsonType+"X-Request-ID: of-another-request\r\n", allowed) // beside its own
		}},
		"not-other-id": {play: header(jsonType + "X-Request-ID: of-another-request\r\n")},
		"not-short": {play: func(e *exchange) bool {
			e.send(e.head(200, jsonType+"Content-Length: 100\r\n") + allowed)
			return false
		}},
		"not-chunked-short": {play: chunked(false)},
		"not-chunked-malformed": {play: func(e *exchange) bool {
			e.send(e.head(200, jsonType+"Transfer-Encoding: chunked\r\n") + "zz\r\n" + allowed + "\r\n0\r\n\r\n")
			return false
		}},
		"not-two-lengths": {play: func(e *exchange) bool {
			e.send(e.head(200, jsonType+"Content-Length: 17\r\nContent-Length: 18\r\n") + allowed + " ")
			return false
		}},
		"not-http": {play: func(e *exchange) bool { e.send(allowed); return false }},

		// Connections that fail. The acceptance suite has the number of requests that may arrive.
		"not-answered":         {play: func(e *exchange) bool { return false }},
		"allow-second-attempt": {play: func(e *exchange) bool { return e.attempt > 1 && e.respond(200, jsonType, allowed) }, permits: true},
		"not-begun":            {play: func(e *exchange) bool { e.send("HTTP/1.1 200 OK\r\n"); return false }},
		"not-begun-status":     {play: func(e *exchange) bool { e.send("HTTP/1.1 2"); return false }},
		"not-reset":            {play: func(e *exchange) bool { e.send(e.head(200, jsonType+"Content-Length: 100\r\n")); return reset(e.conn) }},
		"not-in-time":          {play: func(e *exchange) bool { return e.wait(waiting) && e.respond(200, jsonType, allowed) }},
		"not-in-time-body": {play: func(e *exchange) bool {
			return e.send(e.head(200, jsonType+"Content-Length: 17\r\n")) && e.wait(waiting) && e.send(allowed)
		}},
		"not-in-time-drop": {play: func(e *exchange) bool {
			const pieces = int(waiting / pause)
			return e.drip(e.head(200, jsonType+"Content-Length: "+strconv.Itoa(pieces+len(allowed))+"\r\n"), " ", pieces) && e.send(allowed)
		}},
		"not-in-time-header": {play: func(e *exchange) bool {
			return e.drip("HTTP/1.1 200 OK\r\n", "X-Fill: x\r\n", int(waiting/pause)) && e.send(jsonType+"Content-Length: 17\r\n\r\n"+allowed)
		}},

		"batch-fewer":  {answer: allowed, permits: true},
		"batch-more":   {answer: allowed, permits: true},
		"batch-number": {answer: allowed, permits: true},
	}
	for _, status := range []int{201, 202, 203, 204, 205, 206, 300, 304, 400, 401, 403, 404, 405, 407, 408, 409, 418, 421, 425, 429, 500, 501, 502, 503, 504, 511, 599} {
		all["not-"+strconv.Itoa(status)] = behavior{play: func(e *exchange) bool {
			if status == 204 || status == 304 {
				return e.send(e.head(status, jsonType))
			}
			return e.respond(status, jsonType, allowed)
		}}
	}
	for _, status := range []int{301, 302, 303, 307, 308} {
		all["not-"+strconv.Itoa(status)] = behavior{play: func(e *exchange) bool {
			return e.respond(status, jsonType+"Location: "+redirected+"\r\n", allowed)
		}}
	}
	return all
}()

const (
	email   = `{"id":"TEST-2/email","type":"notification","properties":{"to":"jane.doe@example.org","body":"Hello.","channel":"email"}}`
	email2  = `{"id":"TEST-3/email","type":"notification","properties":{"to":"jane.doe@example.org","body":"Hello again.","channel":"email"}}`
	pigeon  = `{"id":"TEST-2/pigeon","type":"notification","properties":{"to":"jane.doe@example.org","body":"Hello.","channel":"pigeon"}}`
	fault   = `{"id":"TEST-2/fault","type":"notification","properties":{"to":"jane.doe@example.org","body":"Hello.","channel":"fault"}}`
	confirm = `{"id":"TEST-2/confirm","type":"custom","properties":{"action":"confirm","cause":"multiple_locations"}}`
	warn    = `{"id":"TEST-2/warn","type":"custom","properties":{"action":"warn","cause":"no_role_here"}}`
	unknown = `{"id":"TEST-2/unknown","type":"session_termination","properties":{"subject":"jane"}}`
)

func oblige(decision bool, obligations ...string) string {
	return `{"decision":` + strconv.FormatBool(decision) + `,"context":{"obligations":[` + strings.Join(obligations, ",") + `]}}`
}

func typed(contentType string) func(*exchange) bool {
	return header("Content-Type: " + contentType + "\r\n")
}

func header(lines string) func(*exchange) bool {
	return func(e *exchange) bool {
		if strings.Contains(lines, "X-Request-ID") {
			e.id = ""
		}
		return e.respond(200, lines, allowed)
	}
}

// chunked sends the body in chunks, and then ends it or breaks off.
func chunked(end bool) func(*exchange) bool {
	return func(e *exchange) bool {
		body := "5\r\n" + allowed[:5] + "\r\n" + strconv.FormatInt(int64(len(allowed)-5), 16) + "\r\n" + allowed[5:] + "\r\n"
		if end {
			body += "0\r\n\r\n"
		}
		return e.send(e.head(200, jsonType+"Transfer-Encoding: chunked\r\n")+body) && end
	}
}

// endless repeats a piece until the other side closes the connection or limit bytes are sent. It ends with an allow, which
// only a client without limits sees.
func (e *exchange) endless(piece string, limit int) bool {
	chunk := strings.HasPrefix(piece, "3e8\r\n")
	if chunk && !e.send(e.head(200, jsonType+"Transfer-Encoding: chunked\r\n")) {
		return false
	}
	block := strings.Repeat(piece, 1+(64<<10)/len(piece))
	for sent := 0; sent < limit; sent += len(block) {
		if !e.send(block) {
			return false
		}
	}
	if chunk {
		return e.send("11\r\n" + allowed + "\r\n0\r\n\r\n")
	}
	return e.send(jsonType + "Content-Length: 17\r\n\r\n" + allowed)
}

// waiting is longer than any enforcement point may wait.
const waiting = 5 * time.Second

// wait reports whether the other side stays connected, and silent, for d.
func (e *exchange) wait(d time.Duration) bool {
	_ = e.conn.SetReadDeadline(time.Now().Add(d))
	_, err := e.conn.Read(make([]byte, 1))
	_ = e.conn.SetReadDeadline(time.Time{})
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// pause is shorter than any time-out between two reads.
const pause = 100 * time.Millisecond

// drip sends the begin of an answer, and then a piece again and again with pauses, so that a time-out between two reads never
// ends it.
func (e *exchange) drip(begin, piece string, times int) bool {
	if !e.send(begin) {
		return false
	}
	for range times {
		if !e.wait(pause) || !e.send(piece) {
			return false
		}
	}
	return true
}

// reset makes closing the connection send a TCP reset.
func reset(conn io.Closer) bool {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	return false
}
