package routes

import (
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// MaxBody is the maximum length in bytes of a body that a question draws from.
const MaxBody = 64 << 10

// ErrBodyTooLong is the error of [Request.ReadBody] for a body that is longer than the limit.
var ErrBodyTooLong = errors.New("the body is too long")

// readBody reads and parses the body; ok is false if it is empty.
func readBody(r *Request) (body any, ok bool, err error) {
	if r.ReadBody == nil {
		return nil, false, &Error{Kind: Unavailable, Message: "The question needs the body of the request, which is not available here."}
	}
	data, err := r.ReadBody(MaxBody)
	switch {
	case errors.Is(err, ErrBodyTooLong) || len(data) > MaxBody:
		return nil, false, badRequest("The body is too long: send at most 64 KiB.")
	case err != nil:
		return nil, false, &Error{Kind: BadRequest, Message: "The body could not be read completely: send it again.", Err: err}
	case len(data) == 0:
		return nil, false, nil
	}
	if err := checkContentHeaders(r.Header); err != nil {
		return nil, false, err
	}
	if body, err = authzen.ParseValue(data); err != nil {
		return nil, false, badRequest(err.Error()) // its errors are sentences for clients
	}
	return body, true, nil
}

// checkContentHeaders requires a body of uncompressed JSON in UTF-8.
func checkContentHeaders(header http.Header) error {
	contentType, _, err := one(header, "Content-Type")
	if err != nil {
		return err
	}
	encoding, _, err := one(header, "Content-Encoding")
	if err != nil {
		return err
	}
	if encoding != "" {
		return badRequest("The body is encoded (Content-Encoding): send it as it is.")
	}
	kind, parameters, err := mime.ParseMediaType(contentType)
	charset, hasCharset := parameters["charset"]
	if err != nil || kind != "application/json" || len(parameters) > 1 ||
		len(parameters) == 1 && (!hasCharset || !strings.EqualFold(charset, "utf-8")) {
		return badRequest("The body is not JSON by its Content-Type: send application/json.")
	}
	return nil
}

// lookUp follows a JSON pointer. Null counts as absent. A member whose name differs from the wanted one only in case is an
// error, because some programs take it for the wanted one.
func lookUp(body any, pointer []string) (found any, ok bool, err error) {
	for _, token := range pointer {
		switch container := body.(type) {
		case map[string]any:
			for name := range container {
				if name != token && strings.EqualFold(name, token) {
					return nil, false, badRequest("The body has the member " + token + " in another spelling: send it as " + token + ".")
				}
			}
			body, ok = container[token]
		case []any:
			i, err := strconv.Atoi(token)
			if ok = err == nil && i >= 0 && i < len(container) && strconv.Itoa(i) == token; ok {
				body = container[i]
			}
		default:
			ok = false
		}
		if !ok {
			return nil, false, nil
		}
	}
	return body, body != nil, nil
}

// parsePointer decodes a non-empty JSON pointer (RFC 6901).
func parsePointer(text string) (tokens []string, ok bool) {
	rest, ok := strings.CutPrefix(text, "/")
	if !ok {
		return nil, false
	}
	for token := range strings.SplitSeq(rest, "/") {
		for i := range len(token) {
			if token[i] == '~' && (i+1 == len(token) || token[i+1] != '0' && token[i+1] != '1') {
				return nil, false
			}
		}
		tokens = append(tokens, strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~"))
	}
	return tokens, true
}
