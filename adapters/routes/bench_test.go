package routes

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// browserHeader returns the header of a browser's request with a token.
func browserHeader() http.Header {
	h := http.Header{"Authorization": {"Bearer x.y.z"}, "X-Confirmed": {"true"}}
	for i := range 18 {
		h[fmt.Sprintf("Sec-Header-%d", i)] = []string{"a value of some length; q=0.5"}
	}
	return h
}

func BenchmarkResolve(b *testing.B) {
	table := example(b)
	body := []byte(`{"location": "ghi", "role": "ed_normal"}`)
	for _, c := range []struct{ name, method, target string }{
		{"public", "GET", "/static/app.js"},
		{"path", "GET", "/users/jane"},
		{"encoded", "GET", "/users/j%61ne"},
		{"query", "GET", "/users?location=ghi&page=2"},
		{"header", "DELETE", "/users/jane/assignments/ghi"},
		{"body", "POST", "/users/jane/assignments"},
		{"refused", "GET", "/static/..%2fusers"},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := asking(c.method, c.target)
			r.Header = browserHeader()
			if c.name == "body" {
				r.Header.Set("Content-Type", "application/json")
			}
			r.ReadBody = func(int) ([]byte, error) { return body, nil }
			b.ReportAllocs()
			for b.Loop() {
				if _, err := table.Resolve(b.Context(), r); (err != nil) != (c.name == "refused") {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFind compares the tree with trying routes in order, for up to as many routes as a file can have.
func BenchmarkFind(b *testing.B) {
	for _, n := range []int{10, 1000, MaxRoutes} {
		var file strings.Builder
		file.WriteString("version: 1\nroutes:\n")
		for i := range n {
			fmt.Fprintf(&file, "- {path: '/api/v%d/x%d/{id}', methods: [GET], public: true}\n", i%10, i)
		}
		data := []byte(file.String())
		table, err := Parse(data)
		if err != nil {
			b.Fatal(err)
		}
		path := fmt.Sprintf("/api/v%d/x%d/jane", (n-1)%10, n-1)
		b.Run(fmt.Sprintf("tree/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if table.tree.find(path[1:], true, "a", "GET", nil) == nil {
					b.Fatal(path)
				}
			}
		})
		b.Run(fmt.Sprintf("in-order/%d", n), func(b *testing.B) {
			for b.Loop() {
				if naive(table, "a", "GET", path) == nil {
					b.Fatal(path)
				}
			}
		})
		b.Run(fmt.Sprintf("parse/%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := Parse(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
