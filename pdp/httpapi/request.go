package httpapi

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
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

// guarded lets only callers with the token in.
func guarded(h handler) handler {
	return func(x *exchange) error {
		if !x.s.admits(x.r.Header["Authorization"]) {
			x.w.Header().Set("WWW-Authenticate", "Bearer")
			return &pdp.Error{Kind: unauthorized}
		}
		return h(x)
	}
}

// admits compares hashes, so that neither the time nor the length tells anything of the token.
func (s *Server) admits(authorization []string) bool {
	if s.token == nil {
		return true
	}
	if len(authorization) != 1 {
		return false
	}
	scheme, token, _ := strings.Cut(authorization[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	hash := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(hash[:], s.token[:]) == 1
}

const notJSON = "The Content-Type is not application/json: send JSON, and say so."

// body checks the transport's side of a request (section 10.1.1) and reads its body.
func (x *exchange) body() ([]byte, error) {
	if !isJSON(x.r.Header["Content-Type"]) {
		return nil, invalid(notJSON)
	}
	return x.read()
}

// read reads the body, whatever it is.
func (x *exchange) read() ([]byte, error) {
	if x.r.ContentLength > authzen.MaxBody {
		return nil, x.hangUp(tooLarge)
	}
	if x.in == nil {
		x.in = make([]byte, 0, 1024)
	}
	// MaxBytesReader reads one byte beyond the bound at most, and has the connection closed then.
	body := http.MaxBytesReader(x.w, x.r.Body, authzen.MaxBody)
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

const (
	tooLarge = "The body is too large: send at most 1 MiB."
	tooSlow  = "The body did not arrive in time: send it faster."
	cutShort = "The body could not be read to its end: send it whole."
)

func bodyFault(err error) string {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge
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
