package clinic

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
)

// Header fields that the application trusts, whoever sends them.
const (
	personHeader      = "X-Wardkeeper-Subject"
	obligationsHeader = "X-Wardkeeper-Obligations"
)

// believedHeader is a field of every response: the person that the application took for the sender.
const believedHeader = "X-Clinic-Person"

//go:embed pages.html
var pages embed.FS

type application struct {
	db    *sql.DB
	pages *template.Template
}

// New returns the application on a database that [Fill] has filled.
func New(db *sql.DB) http.Handler {
	a := &application{db: db, pages: template.Must(template.ParseFS(pages, "pages.html"))}
	mux := http.NewServeMux()
	for pattern, do := range map[string]action{
		"GET /{$}":                                    a.home,
		"GET /static/{file}":                          a.static,
		"GET /users":                                  a.list,
		"GET /users/{id}":                             a.show,
		"GET /users/{id}/edit":                        a.form,
		"POST /users/{id}/edit":                       a.save,
		"POST /users/{id}/deactivate":                 a.deactivate,
		"POST /users/{id}/deactivate/confirmed":       a.deactivate,
		"GET /api/locations":                          a.locations,
		"GET /api/users":                              a.list,
		"POST /api/users":                             a.create,
		"GET /api/users/{id}":                         a.show,
		"PUT /api/users/{id}":                         a.save,
		"DELETE /api/users/{id}":                      a.deactivate,
		"GET /api/users/{id}/roles":                   a.roles,
		"PUT /api/users/{id}/roles/{location}/{role}": a.addRole,
		"DELETE /api/users/{id}/roles/{location}":     a.removeRole,
		"POST /api/users/{id}/invitation":             a.invite,
		"OPTIONS /api/users":                          a.options,
	} {
		mux.Handle(pattern, a.handle(do))
	}
	// For tests: the entries of the journal since the last request.
	mux.HandleFunc("GET /journal", func(w http.ResponseWriter, r *http.Request) {
		entries, err := a.journal(r.Context())
		if err != nil {
			fail(w, err)
			return
		}
		answer(w, entries)
	})
	mux.Handle("/", a.handle(func(*http.Request) (result, error) { return result{}, errNotFound }))
	return mux
}

// action handles a request. Its error is [errNotFound], [errBadRequest] or a failure.
type action func(r *http.Request) (result, error)

// result is shown as a page or, below /api, as JSON.
type result struct {
	page   string // of pages.html
	value  any
	status int // 0 means 200
}

var errBadRequest = errors.New("the request lacks something")

// handle records each request in the journal, performs its action, and fulfills its obligations.
func (a *application) handle(do action) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		person := r.Header.Get(personHeader)
		w.Header().Set(believedHeader, person)
		ctx := context.WithoutCancel(r.Context()) // what has begun is finished, even if the client disconnects
		err := a.note(ctx, r.Method+" "+r.RequestURI+" by "+person)
		var done result
		if err == nil {
			done, err = do(r.WithContext(ctx))
		}
		if err == nil {
			err = a.fulfill(ctx, r.Header.Get(obligationsHeader))
		}
		switch {
		case err != nil:
			fail(w, err)
		case done.page == "" || len(r.URL.Path) > 5 && r.URL.Path[:5] == "/api/":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(max(done.status, http.StatusOK))
			_ = json.NewEncoder(w).Encode(map[string]any{"person": person, "result": done.value})
		default:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_ = a.pages.ExecuteTemplate(w, done.page, map[string]any{"Person": person, "Value": done.value})
		}
	})
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func fail(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, errNotFound):
		http.Error(w, "Not found.", http.StatusNotFound)
	case errors.Is(err, errBadRequest):
		http.Error(w, "Something is missing.", http.StatusBadRequest)
	default:
		slog.Error("a request failed", "error", err)
		http.Error(w, "That did not work.", http.StatusInternalServerError)
	}
}
