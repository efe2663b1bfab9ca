package origintest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
)

// Application is an HTTP handler that serves a directory as an application would, using the contract of package
// httporigin. Its methods are safe for concurrent use. Its fields must not be set while it serves a request.
type Application struct {
	t testing.TB

	mu           sync.Mutex
	Directory    *directory.Directory     // the current directory; set by Replace
	replacements uint64                   // how often the directory was set
	versions     map[string]recordVersion // of all records so far, including removed ones
	intercept    func(w http.ResponseWriter, r *http.Request) bool
	requests     []*http.Request

	OmitVersions bool // serve records without versions
}

// recordVersion is the version of a record with a given content.
type recordVersion struct {
	content string // empty if the record was removed
	version uint64
}

// NewApplication returns an application with the directory of a JSON document.
func NewApplication(t testing.TB, document string) *Application {
	a := &Application{t: t, versions: map[string]recordVersion{}}
	a.Replace(document)
	return a
}

// Serve starts a server that is stopped at the end of the test. The application is at the path /membership.
func (a *Application) Serve() *httptest.Server {
	s := httptest.NewServer(http.StripPrefix("/membership", a))
	a.t.Cleanup(s.Close)
	return s
}

// Replace replaces the directory with that of another document. Records that have changed get a greater version.
func (a *Application) Replace(document string) {
	d := ParseDirectory(a.t, document)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.Directory = d
	a.replacements++
	trees := map[string][]Location{}
	for _, l := range d.All {
		trees[l.Organization()] = append(trees[l.Organization()], Location(l.Record()))
	}
	now := map[string]string{}
	for root, tree := range trees {
		now["organization "+root] = string(asJSON(tree))
	}
	for _, u := range d.AllUsers() {
		now["user "+u.ID()] = string(asJSON(UserFromRecord(u.Record())))
	}
	for key := range a.versions {
		if _, still := now[key]; !still {
			a.versions[key] = recordVersion{} // a record that is added again gets a new version
		}
	}
	for key, content := range now {
		if a.versions[key].content != content {
			a.versions[key] = recordVersion{content, a.replacements}
		}
	}
}

// Intercept sets a function that is called before each request is handled. If it returns true, it has sent the response.
// Intercept(nil) removes the function.
func (a *Application) Intercept(intercept func(w http.ResponseWriter, r *http.Request) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.intercept = intercept
}

// Requests returns all requests so far.
func (a *Application) Requests() []*http.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.requests
}

// ServeHTTP implements [http.Handler].
func (a *Application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.requests = append(a.requests, r)
	intercept := a.intercept
	a.mu.Unlock()
	if intercept != nil && intercept(w, r) {
		return
	}
	a.mu.Lock()
	status, answer := a.answer(r)
	a.mu.Unlock()
	body := asJSON(answer)
	etag := fmt.Sprintf(`"%x"`, sha256.Sum256(body))
	if status == http.StatusOK && (r.URL.Path == "/users/by-id" || r.URL.Path == "/organizations/by-location") {
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

type object = map[string]any

func (a *Application) answer(r *http.Request) (int, any) {
	q, ctx, d := r.URL.Query(), context.Background(), a.Directory
	size, _ := strconv.Atoi(q.Get("limit"))
	switch r.URL.Path {
	case "/users/by-id":
		if u, _ := d.User(ctx, q.Get("id")); u != nil {
			return http.StatusOK, a.user(u)
		}
	case "/users/by-username":
		found := []object{}
		if u, _ := d.UserByUsername(ctx, q.Get("username")); u != nil {
			found = append(found, a.user(u))
		}
		return http.StatusOK, object{"users": found}
	case "/users":
		return http.StatusOK, a.list(r, size)
	case "/organizations/by-location":
		if l := d.ByID(q.Get("id")); l != nil {
			return http.StatusOK, a.versioned("organization "+l.Organization(), "locations")
		}
	case "/locations":
		page, _ := d.Locations(ctx, facts.LocationQuery{After: q.Get("after"), Limit: size + 1})
		ids := []string{}
		for _, l := range page[:min(len(page), size)] {
			ids = append(ids, l.ID())
		}
		return http.StatusOK, object{"ids": ids, "more": len(page) > size}
	}
	return http.StatusNotFound, object{"code": "unknown"}
}

func (a *Application) list(r *http.Request, size int) object {
	q := r.URL.Query()
	page, err := a.Directory.Users(r.Context(), facts.UserQuery{
		Beneath: q.Get("beneath"), Sort: facts.SortKey(q.Get("sort")), Descending: q.Get("order") == "desc", Text: q.Get("query"),
		After: facts.Cursor{ID: q.Get("after"), First: q.Get("after_value"), Second: q.Get("after_given")}, Limit: size,
	})
	if err != nil {
		return object{"error": err.Error()}
	}
	users := []object{}
	for _, u := range page.Users {
		users = append(users, a.user(u))
	}
	return object{"users": users, "more": page.More}
}

func (a *Application) user(u *facts.User) object { return a.versioned("user "+u.ID(), "user") }

// versioned returns an object with a record under the given name, and its version.
func (a *Application) versioned(key, name string) object {
	v := a.versions[key]
	out := object{name: json.RawMessage(v.content)}
	if !a.OmitVersions {
		out["version"] = v.version
	}
	return out
}
