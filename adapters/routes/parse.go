package routes

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/pdp/loopback"
)

// parser builds a table from a document and collects its faults.
type parser struct {
	faults   faults
	table    Table
	defaults map[string]entry
	shapes   map[string]*route // the first route of each template, by its shape
}

// Parse parses a route file. Its error is [Faults], with every fault of the file.
func Parse(data []byte) (*Table, error) {
	root, err := document(data)
	if err != nil {
		return nil, err
	}
	p := &parser{table: Table{tree: &tree{}, obligations: []any{}}, shapes: map[string]*route{}}
	p.file(root)
	if err := p.faults.err(); err != nil {
		return nil, err
	}
	return &p.table, nil
}

func (p *parser) file(root *yaml.Node) {
	keys, ok := p.mapping(root, "the file", "version", "subject", "supported_obligations", "defaults", "routes")
	if !ok {
		return
	}
	if version, ok := keys["version"]; !ok {
		p.faults.add(root, "version is missing: begin the file with version: 1")
	} else if version.value.Kind != yaml.ScalarNode || version.value.ShortTag() != intTag || version.value.Value != "1" {
		p.faults.add(version.value, "version is not 1: write version: 1, the only one that there is")
	}
	if subject, ok := keys["subject"]; ok {
		p.subject(subject.value)
	}
	if obligations, ok := keys["supported_obligations"]; ok {
		p.obligations(obligations.value)
	}
	if defaults, ok := keys["defaults"]; ok {
		p.defaults, _ = p.mapping(defaults.value, "defaults", "host", "current_location", "confirmed", "at_least")
	}
	p.checkDefaults()
	routes, ok := keys["routes"]
	if !ok {
		p.faults.add(root, "routes is missing: list at least one route")
		return
	}
	p.routes(routes.value, keys)
}

// obligations reads the kinds of obligation that the application supports. A question has only their types.
func (p *parser) obligations(n *yaml.Node) {
	p.table.kinds = p.texts(n, "supported_obligations", "an obligation type")
	for _, kind := range p.table.kinds {
		obligation, action, hasAction := strings.Cut(kind, "/")
		switch {
		case obligation == custom && action == "":
			p.faults.add(n, "the obligation custom is not supported as such: name its action, as in custom/confirm")
		case obligation != custom && hasAction:
			p.faults.add(n, "%q is not an obligation type: only custom has an action, as in custom/confirm", kind)
		}
		if !slices.Contains(p.table.obligations, any(obligation)) {
			p.table.obligations = append(p.table.obligations, obligation)
		}
	}
}

// custom is the type of the obligations that are distinguished by their action (pdp/OBLIGATIONS.md).
const custom = "custom"

// checkDefaults reports the faults of the defaults once, rather than for each route.
func (p *parser) checkDefaults() {
	for name, e := range p.defaults {
		before := len(p.faults.all)
		switch name {
		case "host":
			p.host(e.value)
		case "current_location", "at_least":
			p.checkDefault(e, textForm)
		case "confirmed":
			p.checkDefault(e, booleanForm)
		}
		if len(p.faults.all) > before {
			delete(p.defaults, name)
		}
	}
}

func (p *parser) checkDefault(e entry, f form) {
	m, ok := p.member(&route{}, e, f, true)
	if ok && (m.value.source == fromPath || m.value.source == fromBody) {
		p.faults.add(e.value, "a default draws from the %s, which differs between routes: write it in the routes that have it", m.value.source)
	}
}

func (p *parser) routes(n *yaml.Node, keys map[string]entry) {
	elements, ok := p.list(n, "routes")
	if !ok {
		return
	}
	switch {
	case len(elements) == 0:
		p.faults.add(n, "routes is empty: list at least one route")
	case len(elements) > MaxRoutes:
		p.faults.add(n, "routes has more than %d routes: join those that ask the same", MaxRoutes)
		return
	}
	asking := false
	for _, element := range elements {
		before := len(p.faults.all)
		r := p.route(element)
		asking = asking || r != nil && !r.Public
		if r == nil || len(p.faults.all) > before {
			continue // which routes it hides is not known
		}
		p.add(r, element)
	}
	if _, ok := keys["subject"]; !ok && asking {
		p.faults.add(n, "subject is missing: say who the person is, by jwt or by header")
	}
}

// add appends a route to the table. It reports methods with which no request reaches the route, and a template that differs
// from an earlier one only in the names of its parameters.
func (p *parser) add(r *route, n *yaml.Node) {
	r.index = len(p.table.routes)
	shape := shapeOf(r.template)
	if other, ok := p.shapes[shape]; !ok {
		p.shapes[shape] = r
	} else if other.Path != r.Path {
		p.faults.add(n, "path %q differs from %q in line %d only by the names of parameters: use the same names", r.Path, other.Path, other.Line)
		return
	}
	p.checkReached(r, n)
	p.table.routes = append(p.table.routes, r)
	p.table.tree.insert(r)
}

// shapeOf returns a text that two templates share exactly if they differ at most in the names of their parameters.
func shapeOf(t template) string {
	var b strings.Builder
	for _, s := range t {
		switch s.kind {
		case literalSegment:
			b.WriteString("/" + s.text)
		case parameterSegment:
			b.WriteString("/{}")
		case restSegment:
			b.WriteString("/{...}")
		}
	}
	return b.String()
}

// checkReached reports the methods of a route that earlier routes take for all of its paths.
func (p *parser) checkReached(r *route, n *yaml.Node) {
	taken := map[string]*route{} // the first that takes it, by method
	p.table.tree.covering(r.template, func(earlier *route) {
		if earlier.Host != "" && earlier.Host != r.Host {
			return
		}
		for _, method := range r.Methods {
			if earlier.takes(earlier.Host, method) && (taken[method] == nil || earlier.index < taken[method].index) {
				taken[method] = earlier
			}
		}
	})
	if len(taken) == 0 {
		return
	}
	for _, method := range r.Methods {
		if earlier := taken[method]; earlier != nil {
			p.faults.add(n, "no %s request reaches the route %s: the route %s in line %d takes them first; move this one above it, or remove %s here",
				method, r.Path, earlier.Path, earlier.Line, method)
		}
	}
}

var routeKeys = []string{
	"path", "host", "methods", "public", "action", "properties", "resource", "location", "current_location", "confirmed", "at_least",
}

// route parses a route. It returns nil if the node is not a mapping.
func (p *parser) route(n *yaml.Node) *route {
	keys, ok := p.mapping(n, "a route", routeKeys...)
	if !ok {
		return nil
	}
	r := &route{Route: Route{Line: n.Line}}
	if path, ok := keys["path"]; !ok {
		p.faults.add(n, "path is missing: write the template of the path, such as /users/{id}")
	} else if text, ok := p.text(path.value, "path"); ok {
		var err error
		if r.template, err = parseTemplate(text); err != nil {
			p.faults.add(path.value, "%s", err.Error())
		}
		r.Path = text
	}
	if host, ok := keys["host"]; ok {
		r.Host = p.host(host.value)
	} else if host, ok := p.defaults["host"]; ok {
		r.Host = host.value.Value
	}
	if methods, ok := keys["methods"]; ok {
		p.methods(r, methods.value)
	} else {
		p.faults.add(n, "methods is missing: list the methods, such as [GET]")
	}
	if public, ok := keys["public"]; ok {
		p.public(r, public, keys)
		return r
	}
	p.question(r, n, keys)
	return r
}

// public parses a public route. It asks nothing, so the keys of a question are faults.
func (p *parser) public(r *route, public entry, keys map[string]entry) {
	value, ok := p.boolean(public.value, "public")
	if ok && !value {
		p.faults.add(public.value, "public is false: remove it, because every other route is asked about")
	}
	r.Public = true
	for name, e := range keys {
		if !slices.Contains([]string{"path", "host", "methods", "public"}, name) {
			p.faults.add(e.key, "%s is for routes that are asked about, but this one is public: remove one of them", name)
		}
	}
}

// question parses the keys of the question that a route asks.
func (p *parser) question(r *route, n *yaml.Node, keys map[string]entry) {
	if action, ok := keys["action"]; !ok {
		p.faults.add(n, "action is missing: name it, such as user.view, or write public: true")
	} else if m, ok := p.member(r, action, textForm, false); ok {
		r.action = m.value
		r.Action, _ = m.value.literal.(string)
		r.ActionLine, r.ActionColumn = action.value.Line, action.value.Column
	}
	if e, ok := keys["properties"]; ok {
		r.properties = p.members(r, e)
	}
	if e, ok := keys["resource"]; ok {
		p.resource(r, e)
	} else {
		p.faults.add(n, "resource is missing: say whom or what the request is about, such as {id: {path: id}}")
	}
	if e, ok := keys["location"]; ok {
		r.places = p.single(r, e, textForm)
		if i := slices.IndexFunc(r.resourceProperties, func(m member) bool { return m.name == "location" }); i >= 0 {
			p.faults.add(e.key, "location is a property of the resource too: write it once")
		}
	}
	for _, m := range []struct {
		name string
		form form
		to   *[]member
	}{{"current_location", textForm, &r.currentLocation}, {"confirmed", booleanForm, &r.confirmed}, {"at_least", textForm, &r.atLeast}} {
		e, ok := keys[m.name]
		if !ok {
			e, ok = p.defaults[m.name]
		}
		if ok {
			*m.to = p.single(r, e, m.form)
		}
	}
}

func (p *parser) resource(r *route, e entry) {
	r.ResourceType = "user"
	keys, ok := p.mapping(e.value, "resource", "type", "id", "properties")
	if !ok {
		return
	}
	if kind, ok := keys["type"]; ok {
		if text, ok := p.text(kind.value, "type"); ok {
			r.ResourceType = text
			p.checkLength(kind.value, "type", text)
		}
	}
	if id, ok := keys["id"]; !ok {
		p.faults.add(e.value, "id is missing: say whom or what the request is about, such as {path: id}")
	} else if m, ok := p.member(r, id, textForm, false); ok {
		r.id = m.value
	}
	if properties, ok := keys["properties"]; ok {
		r.resourceProperties = p.members(r, properties)
	}
}

func (p *parser) methods(r *route, n *yaml.Node) {
	elements, ok := p.list(n, "methods")
	if !ok {
		return
	}
	if len(elements) == 0 {
		p.faults.add(n, "methods is empty: list the methods, such as [GET]")
	}
	for _, element := range elements {
		method, ok := p.text(element, "a method")
		switch {
		case !ok:
		case !isMethod(method):
			p.faults.add(element, "%q is not a method: write it in upper case, such as GET", method)
		case method == http.MethodTrace || method == http.MethodConnect:
			p.faults.add(element, "%s is refused always: remove it", method)
		case slices.Contains(r.Methods, method):
			p.faults.add(element, "%s is there twice: remove one of them", method)
		default:
			r.Methods = append(r.Methods, method)
		}
	}
}

// host parses a host, which must be written as requests are compared with it.
func (p *parser) host(n *yaml.Node) string {
	text, ok := p.text(n, "host")
	if !ok {
		return ""
	}
	if canonical, err := canonicalHost([]string{text}); err != nil || canonical != text {
		p.faults.add(n, "host %q is not a host as requests are compared with it: write it in lower case, without a port or a trailing dot", text)
		return ""
	}
	return text
}

// texts parses a list of distinct texts.
func (p *parser) texts(n *yaml.Node, what, element string) []string {
	elements, _ := p.list(n, what)
	var all []string
	for _, e := range elements {
		text, ok := p.text(e, element)
		switch {
		case !ok:
		case slices.Contains(all, text):
			p.faults.add(e, "%q is there twice: remove one of them", text)
		default:
			all = append(all, text)
		}
	}
	return all
}

func (p *parser) subject(n *yaml.Node) {
	keys, ok := p.mapping(n, "subject", "jwt", "header")
	if !ok {
		return
	}
	jwt, hasJWT := keys["jwt"]
	header, hasHeader := keys["header"]
	if hasJWT == hasHeader {
		p.faults.add(n, "subject has not exactly one of jwt and header: say in one way who the person is")
	}
	if hasJWT {
		p.table.subject.JWT = p.jwt(jwt.value)
	}
	if hasHeader {
		if name, ok := p.text(header.value, "header"); ok && p.checkHeaderName(header.value, name) {
			p.table.subject.Header = name
		}
	}
}

// algorithms are the signature algorithms that verify with a public key.
var algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

func (p *parser) jwt(n *yaml.Node) *JWT {
	j := &JWT{Claim: "sub"}
	keys, ok := p.mapping(n, "jwt", "keys", "keys_file", "issuer", "audience", "algorithms", "claim", "cookie")
	if !ok {
		return j
	}
	for name, to := range map[string]*string{
		"keys": &j.Keys, "keys_file": &j.KeysFile, "issuer": &j.Issuer, "audience": &j.Audience, "claim": &j.Claim, "cookie": &j.Cookie,
	} {
		if e, ok := keys[name]; ok {
			*to, _ = p.text(e.value, name)
		}
	}
	for _, name := range []string{"issuer", "audience", "algorithms"} {
		if _, ok := keys[name]; !ok {
			p.faults.add(n, "%s is missing: write what a token has to have", name)
		}
	}
	address, hasURL := keys["keys"]
	file, hasFile := keys["keys_file"]
	if keys := cmp.Or(address.value, file.value); keys != nil {
		j.line, j.column = keys.Line, keys.Column
	}
	if hasURL == hasFile {
		p.faults.add(n, "jwt has not exactly one of keys and keys_file: say in one way where the public keys are")
	}
	if j.Keys != "" && !isKeysURL(j.Keys) {
		p.faults.add(address.value, "keys is not an https URL: write one without user, password and fragment (http only for this machine, or use keys_file)")
	}
	if cookie, ok := keys["cookie"]; ok && j.Cookie != "" && (!isToken(j.Cookie) || strings.ContainsAny(j.Cookie, "%")) {
		p.faults.add(cookie.value, "cookie %q is not a name of a cookie: write letters, digits, hyphens and underscores", j.Cookie)
	}
	if e, ok := keys["algorithms"]; ok {
		p.algorithms(j, e.value)
	}
	return j
}

func (p *parser) algorithms(j *JWT, n *yaml.Node) {
	j.Algorithms = p.texts(n, "algorithms", "an algorithm")
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		p.faults.add(n, "algorithms is empty: list those that the issuer signs with, such as [ES256]")
	}
	for _, element := range n.Content {
		if name := element.Value; slices.Contains(j.Algorithms, name) && !slices.Contains(algorithms, name) {
			p.faults.add(element, "%q is not an algorithm with a public key: use %s", name, strings.Join(algorithms, ", "))
		}
	}
}

// isKeysURL reports whether text is an https URL, or an http URL of the local machine.
func isKeysURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Hostname() == "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && loopback.Is(u.Hostname())
}
