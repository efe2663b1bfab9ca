package application

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/pep"
)

// OpenBehindProxy is like [Open], for an adapter that answers proxies: the checker tells the application of its obligations
// and performs none.
func OpenBehindProxy() (*Application, error) { return new(Application).open(nil) }

// Proxied returns a handler for the requests that a proxy forwards. It takes the person from the proxy's header fields, and
// performs the obligations that they name. If it cannot perform one, it denies.
func (a *Application) Proxied(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		subject, err := url.PathUnescape(r.Header.Get(check.SubjectHeader))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		trace := pep.NewTrace(r.Header.Values)
		var obligations []pep.Obligation
		if err := json.Unmarshal([]byte(r.Header.Get(check.ObligationsHeader)), &obligations); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		for _, o := range obligations {
			if o.Type != "notification" || o.Properties["channel"] != "email" {
				refusal := pep.Outcome{Verdict: pep.Denied}.Refusal()
				refusal.RequestID = trace.RequestID
				refusal.Write(w, r.Header.Get("Accept"))
				return
			}
		}
		next.ServeHTTP(w, r.WithContext(check.WithResult(r.Context(), check.Result{Pass: true, Subject: subject, Trace: trace})))
		if strings.HasSuffix(r.URL.Path, failing) {
			return
		}
		for _, o := range obligations {
			_ = a.notify(context.WithoutCancel(r.Context()), o) // cannot fail
		}
	})
}
