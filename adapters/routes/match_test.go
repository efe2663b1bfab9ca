package routes

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// naive finds the first matching route by trying them in order.
func naive(table *Table, host, method, path string) *route {
	for _, r := range table.routes {
		if r.takes(host, method) && r.template.matches(path) {
			return r
		}
	}
	return nil
}

var (
	words   = []string{"a", "b", "c", "A"}
	hosts   = []string{"", "", "x", "y"}
	methods = []string{http.MethodGet, http.MethodHead, http.MethodPost}
)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// randomTemplate returns a template of few words, so that many templates overlap.
func randomTemplate(r *rand.Rand) string {
	var b strings.Builder
	for i := range r.IntN(4) {
		if r.IntN(3) == 0 {
			fmt.Fprintf(&b, "/{p%d}", i)
		} else {
			b.WriteString("/" + pick(r, words))
		}
	}
	switch r.IntN(4) {
	case 0:
		b.WriteString("/{rest...}")
	case 1:
		b.WriteString("/")
	}
	return "/" + strings.TrimPrefix(b.String(), "/")
}

func randomPath(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(5) {
		b.WriteString("/" + pick(r, words))
	}
	if b.Len() == 0 || r.IntN(4) == 0 {
		b.WriteString("/")
	}
	return b.String()
}

// randomTable returns a table of routes in a random order, without those that are faults.
func randomTable(t *testing.T, r *rand.Rand) (*Table, string) {
	t.Helper()
	var file strings.Builder
	file.WriteString("version: 1\nroutes:\n")
	head := file.Len()
	var table *Table
	for range 1 + r.IntN(12) {
		before := file.String()
		fmt.Fprintf(&file, "- {path: '%s', methods: [%s], public: true", randomTemplate(r), pick(r, methods))
		if host := pick(r, hosts); host != "" {
			file.WriteString(", host: " + host)
		}
		file.WriteString("}\n")
		parsed, err := Parse([]byte(file.String()))
		if err == nil {
			table = parsed
			continue
		}
		require.Contains(t, err.Error(), "line", file.String())
		file.Reset()
		file.WriteString(before)
	}
	require.Greater(t, file.Len(), head)
	return table, file.String()
}

func TestTreeFindsTheFirstRoute(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	found := map[bool]int{}
	for range 300 {
		table, file := randomTable(t, r)
		for range 300 {
			host, method, path := pick(r, hosts), pick(r, methods), randomPath(r)
			want := naive(table, host, method, path)
			got := table.tree.find(path[1:], true, host, method, nil)
			require.True(t, want == got, "%s %s%s of\n%s\nwant %v\ngot %v", method, host, path, file, want, got)
			found[got != nil]++
		}
	}
	require.Greater(t, found[true], 10_000)
	require.Greater(t, found[false], 10_000)
}

// TestShadowedRoutesAreThoseThatNothingReaches compares the routes that Parse refuses with the lookups of all short paths.
func TestShadowedRoutesAreThoseThatNothingReaches(t *testing.T) {
	var paths []string
	var extend func(prefix string, depth int)
	extend = func(prefix string, depth int) {
		paths = append(paths, prefix+"/")
		if depth == 0 {
			return
		}
		for _, word := range []string{"a", "b", "c", "A", "other"} {
			paths = append(paths, prefix+"/"+word)
			extend(prefix+"/"+word, depth-1)
		}
	}
	extend("", 4)
	r := rand.New(rand.NewPCG(3, 4))
	shadowed := 0
	for range 1000 {
		first, second := randomTemplate(r), randomTemplate(r)
		file := fmt.Sprintf("version: 1\nroutes:\n- {path: '%s', methods: [GET], public: true}\n- {path: '%s', methods: [GET], public: true}\n", first, second)
		_, err := Parse([]byte(file))
		a, errA := parseTemplate(first)
		b, errB := parseTemplate(second)
		require.NoError(t, errA)
		require.NoError(t, errB)
		reached := false
		for _, path := range paths {
			reached = reached || b.matches(path) && !a.matches(path)
		}
		require.Equal(t, reached, err == nil, "%s, then %s: %v", first, second, err)
		if err != nil {
			shadowed++
		}
	}
	require.Greater(t, shadowed, 50)
}

func TestUnreachedMethodsAreFaults(t *testing.T) {
	file := func(routes ...string) string {
		return "version: 1\nroutes:\n- {" + strings.Join(routes, ", public: true}\n- {") + ", public: true}\n"
	}
	for _, c := range []struct {
		routes []string
		want   string
	}{
		{[]string{"path: /a, methods: [GET]", "path: /a, methods: [POST]"}, ""},
		{[]string{"path: /a, methods: [GET], host: x", "path: /a, methods: [GET]"}, ""},
		{[]string{"path: /a, methods: [GET], host: x", "path: /a, methods: [GET], host: y"}, ""},
		{[]string{"path: /a, methods: [HEAD]", "path: /a, methods: [GET]"}, ""},
		{[]string{"path: /a, methods: [GET, HEAD]"}, ""},
		{[]string{"path: /a/b, methods: [GET]", "path: '/a/{b}', methods: [GET]"}, ""},
		{[]string{"path: /a, methods: [GET]", "path: /a, methods: [GET], host: x"}, "line 4, column 3: no GET request reaches the route /a: the route /a in line 3 takes them first; move this one above it, or remove GET here"},
		{[]string{"path: /a, methods: [GET]", "path: /a, methods: [HEAD]"}, "line 4, column 3: no HEAD request reaches the route /a: the route /a in line 3 takes them first; move this one above it, or remove HEAD here"},
		{
			[]string{"path: '/{x}', methods: [GET]", "path: '/{x...}', methods: [POST]", "path: /a, methods: [GET, POST, PUT]"},
			"line 5, column 3: no GET request reaches the route /a: the route /{x} in line 3 takes them first; move this one above it, or remove GET here\n" +
				"line 5, column 3: no POST request reaches the route /a: the route /{x...} in line 4 takes them first; move this one above it, or remove POST here",
		},
		{[]string{"path: '/{x}/b', methods: [GET]", "path: '/{y}/b', methods: [POST]"}, `line 4, column 3: path "/{y}/b" differs from "/{x}/b" in line 3 only by the names of parameters: use the same names`},
		{[]string{"path: '/{x...}', methods: [GET], host: x", "path: '/{y...}', methods: [GET], host: y"}, `line 4, column 3: path "/{y...}" differs from "/{x...}" in line 3 only by the names of parameters: use the same names`},
	} {
		_, err := Parse([]byte(file(c.routes...)))
		if c.want == "" {
			require.NoError(t, err, c.routes)
		} else {
			require.EqualError(t, err, c.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		public, asked string
		warned        bool
	}{
		{"/{page}", "/admin", true}, {"/{page...}", "/admin", true}, {"/{page...}", "/admin/{id}", true}, {"/static/{x...}", "/users/{id}", false}, {"/static/{x...}", "/Static/a", true},
		{"/{page}", "/admin/users", false}, {"/{a}/users", "/admin/users", true}, {"/Admin", "/admin", true}, {"/admin/", "/admin", false}, {"/{page}", "/7", false}, {"/{page}", "/{id}/x", false},
		{"/users/{id}/{x...}", "/users/{id}", true},
	} {
		file := "version: 1\nsubject: {header: X-U}\nroutes:\n- {path: '" + c.asked + "', methods: [GET], action: a, resource: {id: x}}\n" +
			"- {path: '" + c.public + "', methods: [HEAD, GET], public: true}\n"
		table, err := Parse([]byte(file))
		require.NoError(t, err)
		require.Equal(t, c.warned, len(table.Warnings()) > 0, "%+v", c)
		table, err = Parse([]byte(strings.Replace(file, "[HEAD, GET]", "[POST]", 1)))
		require.NoError(t, err)
		require.Empty(t, table.Warnings())
	}
}

func TestLimitOfRoutes(t *testing.T) {
	file := func(n int) []byte {
		var b strings.Builder
		b.WriteString("version: 1\nroutes:\n")
		for i := range n {
			fmt.Fprintf(&b, "- {path: /a/%d/b, methods: [GET], public: true}\n", i)
		}
		return []byte(b.String())
	}
	_, err := Parse(file(MaxRoutes))
	require.NoError(t, err)
	_, err = Parse(file(MaxRoutes + 1))
	require.ErrorContains(t, err, "more than 10000 routes")
	_, err = Parse(append(file(1), strings.Repeat("#", MaxFile)...))
	require.ErrorContains(t, err, "larger than 1 MiB")
}
