package hostile

import (
	"bufio"
	"bytes"
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/wardkeeper/wardkeeper/adapters/routes"
)

// RouteFile is the route file for which [Cases] makes requests, unless a [Site] says otherwise.
//
//go:embed routes.yaml
var RouteFile []byte

// Site describes the deployment for which requests are made.
type Site struct {
	Host string // of requests that do not attack the host, with a port if needed
	// Credentials is the header field that names the person, such as "Authorization: Bearer TOKEN". If it is empty, requests
	// are anonymous.
	Credentials string
	// Protected is a folder such as "/users/": a GET of an id in it asks a question. Public is a folder with a public route.
	Protected, Public string
}

// DefaultSite returns the site that [RouteFile] describes.
func DefaultSite() Site {
	return Site{Host: "clinic.example.org", Credentials: "Authorization: Bearer alice", Protected: "/users/", Public: "/public/"}
}

// Case is one hostile connection: usually a request, followed by another that ends the connection.
type Case struct {
	ID    string // in every request of the case whose path has an id, and nowhere else
	Class string // the kind of attack, such as "dot segments"
	Raw   []byte // the bytes to send
	// Safe means that the case changes nothing, even in an application that takes it in the worst way: it has only GET and
	// HEAD, of ids that do not exist.
	Safe bool
	// Hangs means that the request is incomplete, so that a server waits for more.
	Hangs bool

	stream *stream // of a case of HTTP/2, which has Raw for reports only
}

// idPattern finds the id of the case that a request belongs to.
var idPattern = regexp.MustCompile(`wkcase([0-9]+)`)

func caseID(n int) string { return "wkcase" + strconv.Itoa(n) }

// IsFor reports whether a case that is not hostile is for a target in a folder.
func (c Case) IsFor(folder string) bool {
	if c.stream != nil {
		return slices.ContainsFunc(c.stream.fields, func(f hpack.HeaderField) bool { return f.Name == ":path" && strings.HasPrefix(f.Value, folder) })
	}
	return bytes.HasPrefix(c.Raw, []byte("GET "+folder)) || bytes.HasPrefix(c.Raw, []byte("HEAD "+folder))
}

// Request returns the first request of a case of HTTP/1.1 as it was sent, without its body. It is false if programs could read
// the bytes in different ways.
func (c Case) Request() (routes.Request, bool) {
	r, err := readRequest(bufio.NewReader(bytes.NewReader(c.Raw)), func() {})
	if err != nil || len(r.Faults) > 0 {
		return routes.Request{}, false
	}
	return routes.Request{Method: r.Method, Target: r.Target, Host: r.Host, Header: r.Header}, true
}

// corpus collects cases.
type corpus struct {
	site  Site
	first int // the number of the first case
	cases []Case
}

// Cases returns the corpus for a site, always in the same order.
func Cases(site Site) []Case {
	c := &corpus{site: site}
	c.plain()
	c.paths()
	c.targets()
	c.queries()
	c.hosts()
	c.identities()
	c.overrides()
	c.connections()
	c.fields()
	c.methods()
	c.versions()
	c.framing()
	c.pipelines()
	return c.cases
}

// id returns the id of the case that is added next.
func (c *corpus) id() string { return caseID(c.first + len(c.cases)) }

// target expands a template: <p> and <s> are the protected and the public folder without slashes around them, <id> is the id
// of the case, <host> is the host of the site.
func (c *corpus) target(template string) string {
	return strings.NewReplacer("<p>", strings.Trim(c.site.Protected, "/"), "<s>", strings.Trim(c.site.Public, "/"), "<id>", c.id(),
		"<host>", c.site.Host).Replace(template)
}

// view returns the target that shows the user of the case.
func (c *corpus) view() string { return c.target("/<p>/<id>") }

// head returns the beginning of a request, without the empty line after it.
func (c *corpus) head(method, target string, fields ...string) string {
	return c.headFor(c.site.Host, method, target, fields...)
}

func (c *corpus) headFor(host, method, target string, fields ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, target, host)
	if c.site.Credentials != "" {
		b.WriteString(c.site.Credentials + "\r\n")
	}
	for _, field := range fields {
		b.WriteString(field + "\r\n")
	}
	return b.String()
}

// last returns a request that ends the connection.
func (c *corpus) last() string {
	return c.head("GET", c.target("/<s>/last-<id>"), "Connection: close") + "\r\n"
}

func (c *corpus) add(class, raw string, safe, hangs bool) {
	// Method overrides and the preface of HTTP/2 are more than a GET.
	safe = safe && !strings.Contains(raw, "DELETE") && !strings.Contains(raw, "PUT") && !strings.HasPrefix(raw, "PRI ")
	c.cases = append(c.cases, Case{ID: c.id(), Class: class, Raw: []byte(raw), Safe: safe, Hangs: hangs})
}

// get adds a GET request for a target, with additional fields.
func (c *corpus) get(class, target string, fields ...string) {
	c.add(class, c.head("GET", target, fields...)+"\r\n"+c.last(), true, false)
}

// post adds a POST request with a body, which is sent unchanged, and the request that ends the connection.
func (c *corpus) post(class, target, body string, fields ...string) {
	c.add(class, c.head("POST", target, fields...)+"\r\n"+body+c.last(), false, false)
}

// PlainClass is the class of requests that are not hostile. The client waits longer for their answers.
const PlainClass = "plain"

// plain adds requests that are not hostile: they must arrive.
func (c *corpus) plain() {
	for range 10 {
		c.get(PlainClass, c.view())
		c.get(PlainClass, c.target("/<s>/<id>"))
		c.get(PlainClass, c.view(), "X-Confirmed: true")
		c.add(PlainClass, c.head("HEAD", c.view())+"\r\n"+c.last(), true, false)
	}
}
