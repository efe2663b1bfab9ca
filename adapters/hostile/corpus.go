package hostile

import (
	_ "embed"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// RouteFile is the route file that [Cases] is made for, unless a [Site] says otherwise.
//
//go:embed routes.yaml
var RouteFile []byte

// Site says what the requests are made for.
type Site struct {
	Host string // of requests that do not attack the host, with the port if there is one
	// Credentials is the header field that names the person, such as "Authorization: Bearer TOKEN". If it is empty, nobody is named.
	Credentials string
	// Protected is a folder such as "/users/": GET of an id in it is asked about. Public is a folder that is not asked about.
	Protected, Public string
}

// DefaultSite is the site that [RouteFile] describes.
func DefaultSite() Site {
	return Site{Host: "clinic.example.org", Credentials: "Authorization: Bearer alice", Protected: "/users/", Public: "/public/"}
}

// Case is one hostile connection: usually one request, followed by another that ends the connection.
type Case struct {
	ID    string // occurs in every request of the case that has a path with an id, and nowhere else
	Class string // what it is about, such as "dot segments"
	Raw   []byte // what is sent
	// Safe says that it changes nothing even in an application that takes it in the worst way: only GET and HEAD, of ids that do not exist.
	Safe bool
	// Hangs says that the request is not complete, so that a server waits for more.
	Hangs bool
}

// idPattern finds the case that a request belongs to.
var idPattern = regexp.MustCompile(`wkcase([0-9]+)`)

func caseID(n int) string { return "wkcase" + strconv.Itoa(n) }

// corpus collects cases.
type corpus struct {
	site  Site
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

// id is the id of the case that is added next.
func (c *corpus) id() string { return caseID(len(c.cases)) }

// target fills in a template: <p> and <s> are the protected and the public folder without slashes around them, <id> is the id of the case.
func (c *corpus) target(template string) string {
	return strings.NewReplacer("<p>", strings.Trim(c.site.Protected, "/"), "<s>", strings.Trim(c.site.Public, "/"), "<id>", c.id(),
		"<host>", c.site.Host).Replace(template)
}

// view is the target that shows the user of the case.
func (c *corpus) view() string { return c.target("/<p>/<id>") }

// head is the beginning of a request, without the empty line after it.
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

// last is a request that ends the connection.
func (c *corpus) last() string {
	return c.head("GET", c.target("/<s>/last-<id>"), "Connection: close") + "\r\n"
}

func (c *corpus) add(class, raw string, safe, hangs bool) {
	// Method overrides, and the beginning of HTTP/2, are no mere GET.
	safe = safe && !strings.Contains(raw, "DELETE") && !strings.Contains(raw, "PUT") && !strings.HasPrefix(raw, "PRI ")
	c.cases = append(c.cases, Case{ID: c.id(), Class: class, Raw: []byte(raw), Safe: safe, Hangs: hangs})
}

// get adds a GET request of a target, with more fields.
func (c *corpus) get(class, target string, fields ...string) {
	c.add(class, c.head("GET", target, fields...)+"\r\n"+c.last(), true, false)
}

// post adds a POST request with a body as it is, and what follows it on the connection.
func (c *corpus) post(class, target, body string, fields ...string) {
	c.add(class, c.head("POST", target, fields...)+"\r\n"+body+c.last(), false, false)
}

// PlainClass is the class of requests that are not hostile. Their answers are waited for longer.
const PlainClass = "plain"

// plain adds requests that are not hostile: they have to arrive.
func (c *corpus) plain() {
	for range 10 {
		c.get(PlainClass, c.view())
		c.get(PlainClass, c.target("/<s>/<id>"))
		c.get(PlainClass, c.view(), "X-Confirmed: true")
		c.add(PlainClass, c.head("HEAD", c.view())+"\r\n"+c.last(), true, false)
	}
}
