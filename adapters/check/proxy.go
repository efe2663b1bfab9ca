package check

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf16"

	"github.com/wardkeeper/wardkeeper/adapters/routes"
)

// Header fields by which a proxy tells the application behind it what was decided about a request that may pass.
const (
	SubjectHeader     = "X-Wardkeeper-Subject"     // the id of the person, percent-encoded; empty if the route is public
	ObligationsHeader = "X-Wardkeeper-Obligations" // what the application must do, as JSON
	requestIDHeader   = "X-Request-ID"
)

// reservedPrefix begins the names of the fields that only the proxy may send to the application.
const reservedPrefix = "x-wardkeeper-"

// IsReserved reports whether the application could take a header field for one that only the proxy may send:
// X_Wardkeeper_Subject is the same to a CGI program.
func IsReserved(name string) bool {
	return len(name) >= len(reservedPrefix) && routes.SameHeader(name[:len(reservedPrefix)], reservedPrefix)
}

// SetHeader sets what the application is told of a request that may pass. Every field is set, also to nothing: a proxy then overwrites
// what the person sent.
func (r Result) SetHeader(h http.Header) {
	h.Set(SubjectHeader, url.PathEscape(r.Subject))
	h.Set(requestIDHeader, r.Trace.RequestID)
	obligations := "[]"
	if len(r.Outcome.Obligations) > 0 {
		if data, err := json.Marshal(r.Outcome.Obligations); err == nil { // they were decoded from JSON
			obligations = inASCII(string(data))
		}
	}
	h.Set(ObligationsHeader, obligations)
}

// inASCII escapes all characters of JSON that are not printable ASCII: servers disagree on what they are in a header field.
func inASCII(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < 0x7f {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// AcceptsToken reports whether a proxy has sent one token, and it is valid. It compares hashes, and always all of them, so that the time
// it takes tells nothing about the tokens.
func AcceptsToken(valid, sent []string) bool {
	if len(sent) != 1 {
		return false
	}
	hash, found := sha256.Sum256([]byte(sent[0])), 0
	for _, token := range valid {
		want := sha256.Sum256([]byte(token))
		found |= subtle.ConstantTimeCompare(hash[:], want[:])
	}
	return found == 1
}

// Bearer returns the tokens of Authorization fields; none if there is another scheme, or more than one field.
func Bearer(authorization []string) []string {
	if len(authorization) != 1 {
		return nil
	}
	scheme, token, _ := strings.Cut(authorization[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil
	}
	return []string{token}
}
