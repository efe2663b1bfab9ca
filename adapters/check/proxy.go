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
)

// Header fields in which a proxy tells the application what was decided about a request that may pass.
const (
	SubjectHeader     = "X-Wardkeeper-Subject"     // the person's id, percent-encoded; empty if the route is public
	ObligationsHeader = "X-Wardkeeper-Obligations" // the application's obligations, as JSON
	requestIDHeader   = "X-Request-ID"
)

// SetHeader sets the fields that tell the application about a request that may pass. It sets every field, even to an empty
// value, so that a proxy overwrites what the person sent.
func (r Result) SetHeader(h http.Header) {
	h.Set(SubjectHeader, url.PathEscape(r.Subject))
	h.Set(requestIDHeader, r.Trace.RequestID)
	obligations := "[]"
	if len(r.Outcome.Obligations) > 0 {
		if data, err := json.Marshal(r.Outcome.Obligations); err == nil { // cannot fail: they were decoded from JSON
			obligations = inASCII(string(data))
		}
	}
	h.Set(ObligationsHeader, obligations)
}

// inASCII escapes all characters of JSON that are not printable ASCII, because servers disagree on their encoding in header
// fields.
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

// AcceptsToken reports whether a proxy has sent exactly one token, and the token is valid. It compares hashes, and always all
// of them, so that its timing reveals nothing about the tokens.
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

// Bearer returns the bearer token of the Authorization fields; none if there is another scheme, or not exactly one field.
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
