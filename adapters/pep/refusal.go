package pep

import (
	"bytes"
	"encoding/json"
	"html/template"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// Refusal is the response that the person gets instead of the action (PEP-9). Its body is application/problem+json (RFC
// 9457), or a page for browsers.
type Refusal struct {
	Status    int    // 400, 401, 403 or 503
	Code      string // one of the codes below
	Detail    string // one sentence for the person
	Reasons   []Reason
	Advice    []Reason
	Confirm   []Obligation // what to confirm before asking again
	RequestID string
}

// Codes of refusals.
const (
	CodeBadRequest           = "bad_request"           // 400: the request is ambiguous
	CodeUnauthenticated      = "unauthenticated"       // 401: the person is not authenticated
	CodeDenied               = "denied"                // 403: with reasons and advice
	CodeConfirmationRequired = "confirmation_required" // 403: confirm and send again
	CodeUnavailable          = "unavailable"           // 503: there is no answer
)

// BadRequest refuses a request that is ambiguous or malformed. detail is a sentence for the person.
func BadRequest(detail string) Refusal {
	return Refusal{Status: http.StatusBadRequest, Code: CodeBadRequest, Detail: detail}
}

// Unauthenticated refuses a request whose sender is not authenticated.
func Unauthenticated() Refusal {
	return Refusal{Status: http.StatusUnauthorized, Code: CodeUnauthenticated, Detail: "Sign in first."}
}

// NoRoute refuses a request that matches no route (PEP-14).
func NoRoute() Refusal {
	return Refusal{Status: http.StatusForbidden, Code: CodeDenied, Detail: "Nobody may do this.",
		Reasons: []Reason{{Code: "no_route", Message: "No route allows this request."}}}
}

// Refusal returns the response to send instead of the action. It is the zero value if the outcome is [Permitted].
func (o Outcome) Refusal() Refusal {
	switch o.Verdict {
	case Permitted:
		return Refusal{}
	case Unavailable:
		return Refusal{Status: http.StatusServiceUnavailable, Code: CodeUnavailable, Detail: "Whether you may do this could not be found out. Try again."}
	case ConfirmationRequired:
		return Refusal{Status: http.StatusForbidden, Code: CodeConfirmationRequired, Detail: "This has to be confirmed first.", Confirm: o.Confirm, Advice: o.Advice}
	}
	r := Refusal{Status: http.StatusForbidden, Code: CodeDenied, Detail: "You may not do this.", Reasons: o.Reasons, Advice: o.Advice}
	if len(o.Reasons) > 0 && o.Reasons[0].Message != "" {
		r.Detail = o.Reasons[0].Message
	}
	return r
}

// SetHeader sets the header fields of the refusal, except those that describe the body.
func (r Refusal) SetHeader(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept")
	switch r.Status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	}
	if r.RequestID != "" {
		h.Set("X-Request-ID", r.RequestID)
	}
}

// Write sends the refusal. accept is the Accept header of the request.
func (r Refusal) Write(w http.ResponseWriter, accept string) {
	contentType, body := r.Body(accept)
	r.SetHeader(w.Header())
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(r.Status)
	_, _ = w.Write(body)
}

// Body returns a page if the Accept header names text/html, and problem details otherwise. Both are a single line.
func (r Refusal) Body(accept string) (contentType string, body []byte) {
	if wantsPage(accept) {
		return "text/html; charset=utf-8", r.page()
	}
	return "application/problem+json", r.problem()
}

func wantsPage(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		if mediaType, parameters, err := mime.ParseMediaType(part); err == nil && mediaType == "text/html" {
			q, err := strconv.ParseFloat(parameters["q"], 64)
			return err != nil || q > 0
		}
	}
	return false
}

func (r Refusal) problem() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	// Encoding cannot fail: the properties of an obligation were decoded from JSON.
	_ = enc.Encode(struct {
		Title     string       `json:"title"`
		Status    int          `json:"status"`
		Code      string       `json:"code"`
		Detail    string       `json:"detail"`
		Reasons   []Reason     `json:"reasons,omitempty"`
		Advice    []Reason     `json:"advice,omitempty"`
		Confirm   []Obligation `json:"confirm,omitempty"`
		RequestID string       `json:"request_id,omitempty"`
	}{http.StatusText(r.Status), r.Status, r.Code, r.Detail, r.Reasons, r.Advice, r.Confirm, r.RequestID})
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// page is a single line, so that a proxy can carry it in a header field.
var page = template.Must(template.New("").Parse(`<!doctype html><html lang="en"><head><meta charset="utf-8">` +
	`<meta name="viewport" content="width=device-width"><title>{{.Title}}</title></head>` +
	`<body style="font:1.1rem/1.5 sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem"><h1>{{.Title}}</h1><p>{{.Detail}}</p>` +
	`{{with .Sentences}}<ul>{{range .}}<li>{{.}}</li>{{end}}</ul>{{end}}` +
	`{{with .RequestID}}<p><small>Request {{.}}</small></p>{{end}}</body></html>`))

func (r Refusal) page() []byte {
	var sentences []string
	for _, list := range [][]Reason{r.Reasons, r.Advice} {
		for _, reason := range list {
			if reason.Message != "" && reason.Message != r.Detail {
				sentences = append(sentences, oneLine(reason.Message))
			}
		}
	}
	for _, o := range r.Confirm {
		if cause, ok := o.Properties["cause"].(string); ok {
			sentences = append(sentences, oneLine(strings.ReplaceAll(cause, "_", " ")))
		}
	}
	var b bytes.Buffer
	// Writing to a buffer cannot fail, and neither can this template.
	_ = page.Execute(&b, struct {
		Title, Detail, RequestID string
		Sentences                []string
	}{http.StatusText(r.Status), oneLine(r.Detail), oneLine(r.RequestID), sentences})
	return b.Bytes()
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
