package benchscale

import (
	"cmp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// list is a list of users to whom the administrator may do an action, by default view them; or of the subjects who may do it to a location.
type list struct {
	action, location, query, sort, token string
	descending, subjects                 bool
	limit                                int
}

// lists are the lists that are measured. The aims are for the 99th percentile.
var lists = []struct {
	name string
	aim  float64
	list
}{
	{"first page of 100", 20, list{}},
	{"text that nobody has", 50, list{query: "nobody has this"}},
	{"text that one in 1,000 has", 50, list{query: "quillfeather"}},
	{"text that one in 100 has", 50, list{query: "given42"}},
	{"text that one in 33 has", 50, list{query: "@north"}},
	{"text that one in 25 has, all at the end", 50, list{query: "@zenith"}},
	{"text that all have", 50, list{query: "example.org"}},
	{"text of two letters, one in 1,000", 50, list{query: "qu"}},
	{"text of one letter, one in 1,000", 50, list{query: "q"}},
	{"text of two letters that nobody has", 50, list{query: "qz"}},
	{"who can be reactivated, one in 20", 100, list{action: "user.reactivate"}},
	{"the same, by last login, the latest first", 100, list{action: "user.reactivate", sort: "last_login", descending: true}},
	{"whose assignment at the region can be removed: nobody", 100, list{action: "assignment.remove"}},
	{"users of a division, one in 20", 100, list{location: "d1"}},
	{"users of a facility", 100, list{location: "f1"}},
	{"who may see the summaries of a division, one in 20", 100, list{action: "summary.view", location: "d1", subjects: true}},
	{"who may see the summaries of a facility", 100, list{action: "summary.view", location: "f1", subjects: true}},
}

func (s *sidecar) page(t *testing.T, l list) (hits int, next string, took time.Duration) {
	resource, page, properties := map[string]any{"type": "user"}, map[string]any{"limit": cmp.Or(l.limit, 100)}, map[string]any{}
	if l.location != "" {
		resource["properties"] = map[string]any{"location": l.location}
	}
	if l.query != "" {
		properties["query"] = l.query
	}
	if l.sort != "" {
		properties["sort"] = l.sort
	}
	if l.descending {
		properties["order"] = "desc"
	}
	if page["properties"] = properties; l.token != "" {
		page["token"] = l.token
	}
	question := map[string]any{
		"subject": map[string]any{"type": "user", "id": "admin"}, "action": map[string]any{"name": cmp.Or(l.action, "user.view")},
		"resource": resource, "context": map[string]any{"current_location": "metro"}, "page": page,
	}
	path := "/access/v1/search/resource"
	if l.subjects {
		path = "/access/v1/search/subject"
		question["subject"], question["resource"] = map[string]any{"type": "user"}, map[string]any{"type": "location", "id": l.location}
	}
	began := time.Now()
	answer, err := s.post(path, question)
	for err != nil && time.Since(began) < time.Minute { // others need the processors
		answer, err = s.post(path, question)
	}
	took = time.Since(began)
	require.NoError(t, err)
	results, _ := answer["results"].([]any)
	info, _ := answer["page"].(map[string]any)
	next, _ = info["next_token"].(string)
	return len(results), next, took
}

// measure measures what pages take that a function asks for.
func (s *sidecar) measure(t *testing.T, db *servertest.Postgres, ask func() []time.Duration) measured {
	database, sidecar := db.ProcessorTime(), s.processorTime(t)
	took := ask()
	return measured{took, db.ProcessorTime() - database, s.processorTime(t) - sidecar}
}

// again asks for the first 100 hits of a list again and again, for at most 10 s. Where a page ends early because hits are rare, it
// goes on with the next one, and counts both.
func (s *sidecar) again(t *testing.T, l list) (took []time.Duration) {
	for began := time.Now(); len(took) < max(*asked/2, 20) && (len(took) == 0 || time.Since(began) < 10*time.Second); {
		hits, next, all := s.page(t, l)
		for next != "" && hits < 100 {
			following := l
			following.token = next
			more, token, one := s.page(t, following)
			hits, next, all = hits+more, token, all+one
		}
		took = append(took, all)
	}
	return took
}

// walk reads the whole list by pages of 100, checks that it has everybody, and measures what the pages take at its beginning, in its
// middle and at its end, a tenth each.
func (s *sidecar) walk(t *testing.T, db *servertest.Postgres, w region, r *report, say func(string, ...any)) {
	pages := (w.users + 1 + 99) / 100
	tenth := max(pages/10, 1)
	listed, asked, token := 0, 0, ""
	next := func(n int) (took []time.Duration) {
		for range n {
			hits, next, one := s.page(t, list{token: token})
			took, listed, token = append(took, one), listed+hits, next
			if asked++; asked%1000 == 0 {
				say("%d users: %d of %d pages", w.users, asked, pages)
			}
		}
		return took
	}
	for i, start := range []int{0, pages/2 - tenth/2, pages - tenth} {
		next(max(start-asked, 0))
		part := s.measure(t, db, func() []time.Duration { return next(tenth) })
		r.pages(w.users, []string{"pages at the beginning", "pages in the middle", "pages at the end"}[i], 20, part)
		require.NoError(t, r.write())
	}
	require.Empty(t, token, "the list goes on")
	require.Equal(t, w.users+1, listed)
}
