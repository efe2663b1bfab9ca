package httpapi

import (
	"bytes"
	"compress/gzip"
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

// maxRequestID is the most bytes that a caller's request id may have.
const maxRequestID = 4 << 10

// identify takes the caller's X-Request-ID, which is any text that a header can carry, or makes one (section 10.1.4).
// Two of them, and one that is too long or could not be given back unchanged, are ignored: the question is answered.
func (x *exchange) identify() {
	sent := x.r.Header["X-Request-Id"]
	if len(sent) == 1 && isRequestID(sent[0]) {
		x.id = sent[0]
		x.w.Header()["X-Request-Id"] = sent
		return
	}
	var random [16]byte
	_, _ = rand.Read(random[:]) // it never fails
	x.id = hex.EncodeToString(random[:])
	x.w.Header()["X-Request-Id"] = []string{x.id}
}

// isRequestID says whether a text comes back as it was sent: a header has no control characters but tabs, and no white
// space at its ends (RFC 9110, section 5.5).
func isRequestID(id string) bool {
	if id == "" || len(id) > maxRequestID || strings.Trim(id, " \t") != id {
		return false
	}
	for i := range len(id) {
		if id[i] < ' ' && id[i] != '\t' || id[i] == 0x7f {
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
	return x.plain(most)
}

// plain reads the body as it was before its Content-Encoding (RFC 9110, section 8.4). The bound holds for both. Work on the
// request begins with it, once there is a place for that.
func (x *exchange) plain(most int64) ([]byte, error) {
	zipped, err := isZipped(x.r.Header["Content-Encoding"])
	if err != nil {
		return nil, err
	}
	body, err := x.read(most)
	if err == nil && zipped {
		if body, err = inflate(body, most); err == nil && len(body) > maxPooled && !x.hold(len(body)) {
			err = x.refuse("bodies", noRoom)
		}
	}
	if err != nil {
		return nil, err
	}
	return body, x.admit(len(body))
}

// isZipped says whether a body is gzip, and not the body itself. Anything else is refused by its name.
func isZipped(contentEncoding []string) (zipped bool, err error) {
	for _, list := range contentEncoding {
		for coding := range strings.SplitSeq(list, ",") {
			switch coding = strings.ToLower(strings.Trim(coding, " \t")); {
			case coding == "" || coding == "identity":
			case (coding == "gzip" || coding == "x-gzip") && !zipped:
				zipped = true
			default:
				sent := strings.Join(contentEncoding, ", ")
				return false, invalid("The Content-Encoding " + strconv.QuoteToASCII(sent[:min(len(sent), 64)]) +
					" cannot be undone: send the body as it is, or compressed once with gzip.")
			}
		}
	}
	return zipped, nil
}

// inflate gives a body as it was before gzip.
func inflate(compressed []byte, most int64) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, invalid(notGzip)
	}
	body, err := io.ReadAll(io.LimitReader(r, most+1))
	switch {
	case err != nil:
		return nil, invalid(notGzip)
	case int64(len(body)) > most:
		return nil, invalid(tooLarge(most))
	}
	return body, nil
}

const notGzip = "The body is not compressed as its Content-Encoding says: send gzip, or leave the header out."

// read reads the body, whatever it is.
func (x *exchange) read(most int64) ([]byte, error) {
	if x.r.ContentLength > most {
		return nil, x.hangUp(tooLarge(most))
	}
	x.sends(true)
	defer x.sends(false)
	if x.in == nil {
		x.in = make([]byte, 0, 1024)
	}
	// MaxBytesReader reads one byte beyond the bound at most, and has the connection closed then.
	body := http.MaxBytesReader(x.w, x.r.Body, most)
	in := x.in[:0]
	for {
		if len(in) == cap(in) {
			in = append(in, 0)[:len(in)]
			if cap(in) > maxPooled && !x.hold(cap(in)-int(x.held)) {
				x.w.Header().Set("Connection", "close")
				return nil, x.refuse("bodies", noRoom)
			}
		}
		n, err := body.Read(in[len(in):cap(in)])
		in = in[:len(in)+n]
		if more := len(in) - int(x.held); len(in) > largeBody && more > 0 && !x.hold(more) {
			x.w.Header().Set("Connection", "close")
			return nil, x.refuse("bodies", noRoom)
		}
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
	noRoom   = "The server is busy with large requests: try again after a second."
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
