package hostile

import (
	"context"
	"io"
	"net/http"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
)

type passKey struct{}

// Handler returns a Go application that records what it gets, and answers 200. protect returns the middleware for a checker
// that asks the judge.
func (j *Judge) Handler(protect func(*check.Checker) func(http.Handler) http.Handler) (http.Handler, error) {
	checker, err := j.Checker()
	if err != nil {
		return nil, err
	}
	protected := protect(checker)(http.HandlerFunc(j.application))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, pass := j.record.Judge(r.Context(), j.table)
		protected.ServeHTTP(w, r.WithContext(context.WithValue(ctx, passKey{}, pass)))
	}), nil
}

func (j *Judge) application(w http.ResponseWriter, r *http.Request) {
	if pass, ok := r.Context().Value(passKey{}).(func(routes.Request)); ok {
		pass(routes.FromHTTP(r))
	}
	got, err := fromHTTP(r)
	j.record.add(event{got: got})
	if err == nil {
		_, _ = io.WriteString(w, reachedBody)
	}
}
