package httpapi

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// Messages of errors about bodies.
const (
	notJSON        = "The Content-Type is not application/json: send JSON with that Content-Type."
	notGzip        = "The Content-Encoding is gzip but the body is not valid gzip: send gzip, or leave the header out."
	bodySlow       = "The body did not arrive in time: send it faster."
	bodyIncomplete = "The body is incomplete: send all of it."
	bodiesBusy     = "The server is busy with large requests: try again after a second."
)

func bodyTooLarge(maxBytes int64) string {
	return "The body is too large: send at most " + strconv.FormatInt(maxBytes>>20, 10) + " MiB."
}

// jsonBody checks the Content-Type and reads the body (pdp/authzen/PROTOCOL.md section 10.1). maxBytes must be a whole
// number of MiB.
func (rc *requestContext) jsonBody(maxBytes int64) ([]byte, error) {
	if !isJSON(rc.r.Header["Content-Type"]) {
		return nil, invalid(notJSON)
	}
	return rc.decodedBody(maxBytes)
}

// decodedBody reads the body and decodes its Content-Encoding (RFC 9110, section 8.4). The limit applies before and
// after decoding. Then it waits for admission.
func (rc *requestContext) decodedBody(maxBytes int64) ([]byte, error) {
	compressed, err := isGzip(rc.r.Header["Content-Encoding"])
	if err != nil {
		return nil, err
	}
	body, err := rc.readBody(maxBytes)
	if err == nil && compressed {
		if body, err = gunzip(body, maxBytes); err == nil && len(body) > maxPooledBuffer && !rc.reserve(len(body)) {
			err = rc.reject("bodies", bodiesBusy)
		}
	}
	if err != nil {
		return nil, err
	}
	return body, rc.admit(len(body))
}

// readBody reads the body as sent. Memory is reserved before it is used, so that bytes from slow clients count as soon
// as they arrive.
func (rc *requestContext) readBody(maxBytes int64) ([]byte, error) {
	if rc.r.ContentLength > maxBytes {
		return nil, rc.closeWith(invalid(bodyTooLarge(maxBytes)))
	}
	if rc.r.ProtoMajor == 1 {
		rc.conn.ReadingBody()
		defer rc.conn.BodyRead()
	}
	if rc.body == nil {
		rc.body = make([]byte, 0, 1024)
	}
	r := http.MaxBytesReader(rc.w, rc.r.Body, maxBytes) // it reads at most one byte more, then closes the connection
	body := rc.body[:0]
	for {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
			if cap(body) > maxPooledBuffer && !rc.reserve(cap(body)-int(rc.reserved)) {
				return nil, rc.closeWith(rc.reject("bodies", bodiesBusy))
			}
		}
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if more := len(body) - int(rc.reserved); len(body) > largeBody && more > 0 && !rc.reserve(more) {
			return nil, rc.closeWith(rc.reject("bodies", bodiesBusy))
		}
		if err == io.EOF {
			rc.body, rc.bodyRead = body, true
			return body, nil
		}
		if err != nil {
			return nil, rc.closeWith(bodyError(err))
		}
	}
}

// closeWith returns err and closes the connection after the response, because the rest of the body has not been read.
func (rc *requestContext) closeWith(err error) error {
	rc.w.Header().Set("Connection", "close")
	return err
}

func bodyError(err error) error {
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return invalid(bodyTooLarge(e.Limit))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return invalid(bodySlow)
	}
	return invalid(bodyIncomplete)
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

// isGzip reports whether a body is compressed with gzip. It rejects any other Content-Encoding but identity.
func isGzip(contentEncoding []string) (compressed bool, err error) {
	for _, list := range contentEncoding {
		for coding := range strings.SplitSeq(list, ",") {
			switch coding = strings.ToLower(strings.Trim(coding, " \t")); {
			case coding == "" || coding == "identity":
			case (coding == "gzip" || coding == "x-gzip") && !compressed:
				compressed = true
			default:
				sent := strings.Join(contentEncoding, ", ")
				return false, invalid("The Content-Encoding " + strconv.QuoteToASCII(sent[:min(len(sent), 64)]) +
					" is not supported: send the body as it is, or compressed once with gzip.")
			}
		}
	}
	return compressed, nil
}

// gunzip decompresses a body.
func gunzip(compressed []byte, maxBytes int64) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, invalid(notGzip)
	}
	body, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	switch {
	case err != nil:
		return nil, invalid(notGzip)
	case int64(len(body)) > maxBytes:
		return nil, invalid(bodyTooLarge(maxBytes))
	}
	return body, nil
}
