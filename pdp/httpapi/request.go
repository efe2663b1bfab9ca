package httpapi

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// maxRequestID is the most characters that a caller's request id may have.
const maxRequestID = 256

// identify takes the caller's X-Request-ID, or makes one (section 10.1.4). One that cannot be given back unchanged is
// refused: to answer with another in silence would break the caller's correlation. The refusal has an id of ours.
func (x *exchange) identify() error {
	sent := x.r.Header["X-Request-Id"]
	if len(sent) == 1 && printable(sent[0]) {
		x.id = sent[0]
		x.w.Header()["X-Request-Id"] = sent
		return nil
	}
	var random [16]byte
	_, _ = rand.Read(random[:]) // it never fails
	x.id = hex.EncodeToString(random[:])
	x.w.Header()["X-Request-Id"] = []string{x.id}
	if len(sent) == 0 || len(sent) == 1 && sent[0] == "" {
		return nil
	}
	return invalid("The X-Request-ID is not usable: send one, with at most 256 printable ASCII characters.")
}

func printable(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		if id[i] < ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

// guarded lets only callers with a token in.
func guarded(h handler) handler {
	return func(x *exchange) error {
		if x.s.tokens != nil && !x.s.tokens.haveOneOf(x.r.Header["Authorization"]) {
			return x.lock("")
		}
		return h(x)
	}
}

// lock keeps out a caller without the token.
func (x *exchange) lock(message string) error {
	x.w.Header().Set("WWW-Authenticate", "Bearer")
	return &pdp.Error{Kind: unauthorized, Message: message}
}

const notJSON = "The Content-Type is not application/json: send JSON, and say so."

// body checks the transport's side of a request (section 10.1.1) and reads its body.
func (x *exchange) body() ([]byte, error) { return x.bodyUpTo(authzen.MaxBody) }

// bodyUpTo is body with a bound of its own, a whole number of MiB.
func (x *exchange) bodyUpTo(most int64) ([]byte, error) {
	if !isJSON(x.r.Header["Content-Type"]) {
		return nil, invalid(notJSON)
	}
	return x.read(most)
}

// read reads the body, whatever it is.
func (x *exchange) read(most int64) ([]byte, error) {
	if x.r.ContentLength > most {
		return nil, x.hangUp(tooLarge(most))
	}
	if x.in == nil {
		x.in = make([]byte, 0, 1024)
	}
	// MaxBytesReader reads one byte beyond the bound at most, and has the connection closed then.
	body := http.MaxBytesReader(x.w, x.r.Body, most)
	in := x.in[:0]
	for {
		if len(in) == cap(in) {
			in = append(in, 0)[:len(in)]
		}
		n, err := body.Read(in[len(in):cap(in)])
		in = in[:len(in)+n]
		if err == io.EOF {
			x.in = in
			return in, nil
		}
		if err != nil {
			return nil, x.hangUp(bodyFault(err))
		}
	}
}

func tooLarge(most int64) string {
	return "The body is too large: send at most " + strconv.FormatInt(most>>20, 10) + " MiB."
}

const (
	tooSlow  = "The body did not arrive in time: send it faster."
	cutShort = "The body could not be read to its end: send it whole."
)

func bodyFault(err error) string {
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(e.Limit)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return tooSlow
	}
	return cutShort
}

// hangUp refuses a body that has not been read, and so the connection that it is on.
func (x *exchange) hangUp(message string) error {
	x.w.Header().Set("Connection", "close")
	return invalid(message)
}

// isJSON accepts application/json, alone or with charset utf-8.
func isJSON(contentType []string) bool {
	if len(contentType) != 1 {
		return false
	}
	if contentType[0] == "application/json" {
		return true
	}
	media, params, err := mime.ParseMediaType(contentType[0])
	if err != nil || media != "application/json" {
		return false
	}
	charset, ok := params["charset"]
	return len(params) == 0 || len(params) == 1 && ok && strings.EqualFold(charset, "utf-8")
}
