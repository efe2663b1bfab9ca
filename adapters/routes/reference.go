package routes

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// single parses a value that becomes a member named like the key. It returns nil if the value is faulty.
func (p *parser) single(r *route, e entry, f form) []member {
	m, ok := p.member(r, e, f, true)
	if !ok {
		return nil
	}
	return []member{m}
}

// members parses an object of values.
func (p *parser) members(r *route, e entry) []member {
	pairs, _ := p.pairs(e.value, e.key.Value)
	var all []member
	for _, pair := range pairs {
		if pair.key.Value == "" || hasControl(pair.key.Value) {
			p.faults.add(pair.key, "the name of a property is empty or has a control character: write another one")
			continue
		}
		if m, ok := p.member(r, pair, anyForm, true); ok {
			all = append(all, m)
		}
	}
	return all
}

// member parses a literal or a reference, and records in the route what it draws from.
func (p *parser) member(r *route, e entry, f form, mayBeOptional bool) (member, bool) {
	before := len(p.faults.all)
	m := member{name: e.key.Value, value: &value{}}
	if e.value.Kind == yaml.MappingNode {
		p.reference(r, e.value, m.value)
		if m.value.optional && !mayBeOptional {
			p.faults.add(e.value, "%s is in every question: remove optional", m.name)
		}
	} else {
		p.literal(e.value, m.name, f, m.value)
	}
	return m, len(p.faults.all) == before
}

// literal parses a text, number, boolean, or a list of them.
func (p *parser) literal(n *yaml.Node, what string, f form, v *value) {
	switch {
	case f == textForm:
		if text, ok := p.text(n, what); ok {
			p.checkLength(n, what, text)
			v.literal = text
		}
	case f == booleanForm:
		v.literal, _ = p.boolean(n, what)
	case n.Kind == yaml.SequenceNode:
		elements := []any{}
		for _, element := range n.Content {
			if literal, ok := p.scalar(element, "an element of "+what); ok {
				elements = append(elements, literal)
			}
		}
		v.literal = elements
	default:
		v.literal, _ = p.scalar(n, what)
	}
}

func (p *parser) checkLength(n *yaml.Node, what, text string) {
	if len(text) > authzen.MaxName {
		p.faults.add(n, "%s is longer than %d bytes: shorten it", what, authzen.MaxName)
	}
}

// reference parses a mapping with one source.
func (p *parser) reference(r *route, n *yaml.Node, v *value) {
	before := len(p.faults.all)
	keys, ok := p.mapping(n, "a reference", "path", "query", "header", "claim", "body", "optional")
	if !ok || len(p.faults.all) > before {
		return
	}
	if optional, ok := keys["optional"]; ok {
		v.optional, _ = p.boolean(optional.value, "optional")
	}
	var found []entry
	for _, s := range sources {
		if e, ok := keys[string(s)]; ok {
			v.source = s
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		p.faults.add(n, "a reference has not exactly one of path, query, header, claim and body: say in one way where the value comes from")
		return
	}
	at := found[0].value
	if v.name, ok = p.text(at, string(v.source)); !ok {
		return
	}
	switch v.source {
	case fromPath:
		if v.segment = r.template.index(v.name); v.segment < 0 && r.template != nil { // without one, the path has a fault
			p.faults.add(at, "the path has no parameter %s: write {%s} into it, or correct the name", v.name, v.name)
		}
	case fromQuery:
		p.query(r, at, v.name)
	case fromHeader:
		p.header(r, at, v.name)
	case fromClaim:
		if p.table.subject.Header != "" {
			p.faults.add(at, "there are no claims without a token: use subject.jwt, or draw the value from elsewhere")
		}
	case fromBody:
		if v.pointer, ok = parsePointer(v.name); !ok {
			p.faults.add(at, "%q is not a JSON pointer: write it as /role or /items/0/id", v.name)
		}
		r.DrawsBody = true
	}
}

// query checks the name of a query parameter.
func (p *parser) query(r *route, n *yaml.Node, name string) {
	for i := range len(name) {
		if c := name[i]; !isUnreserved(c) || c == '.' && (i == 0 || i == len(name)-1) {
			p.faults.add(n, "%q is not a name of a query parameter that every program reads alike: use letters, digits, hyphens, underscores and dots", name)
			return
		}
	}
	if sameParameter(methodParameter, name) {
		p.faults.add(n, "requests with the query parameter %s are refused: draw the value from elsewhere", methodParameter)
		return
	}
	for _, other := range r.drawnQuery {
		if other != name && sameParameter(other, name) {
			p.faults.add(n, "the query parameters %s and %s are the same to some programs: draw from one of them", other, name)
			return
		}
	}
	r.drawnQuery = append(r.drawnQuery, name)
}

// undrawable are headers that proxies act on, so that the application may get other values than those judged.
var undrawable = []string{"Authorization", "Connection", "Content-Length", "Cookie", "Host", "Proxy-Authorization", "TE", "Trailer", "Transfer-Encoding", "Upgrade"}

// replaced are headers that proxies and adapters set themselves: they say nothing about the person or the user.
var replaced = []string{"X-Forwarded-Method", "X-Forwarded-Uri", "X-Forwarded-Host", "X-Request-ID"}

// header checks the name of a header.
func (p *parser) header(r *route, n *yaml.Node, name string) {
	if !p.checkHeaderName(n, name) {
		return
	}
	if identity := p.table.subject.Header; identity != "" && SameHeader(identity, name) {
		p.faults.add(n, "the header %s names the person: draw the value from elsewhere", name)
	}
	for _, other := range r.drawnHeaders {
		if !strings.EqualFold(other, name) && SameHeader(other, name) {
			p.faults.add(n, "the headers %s and %s are the same to some programs: draw from one of them", other, name)
			return
		}
	}
	r.drawnHeaders = append(r.drawnHeaders, name)
}

// checkHeaderName checks the name of a header that the person, or a value, is drawn from.
func (p *parser) checkHeaderName(n *yaml.Node, name string) bool {
	same := func(other string) bool { return SameHeader(name, other) }
	switch {
	case !isHeaderName(name):
		p.faults.add(n, "%q is not a name of a header: use letters, digits and hyphens", name)
	case slices.ContainsFunc(undrawable, same), slices.ContainsFunc(refusedHeaders[:], same):
		p.faults.add(n, "the header %s cannot be drawn from: proxies act on it, or requests with it are refused", name)
	case IsReserved(name):
		p.faults.add(n, "the header %s cannot be drawn from: requests with a header that begins with %s are refused", name, ours)
	case slices.ContainsFunc(replaced, same):
		p.faults.add(n, "the header %s cannot be drawn from: proxies and adapters set it themselves", name)
	default:
		return true
	}
	return false
}

// isHeaderName reports whether name has only letters, digits and hyphens. Servers drop or rename other headers.
func isHeaderName(name string) bool {
	for i := range len(name) {
		if c := foldHeader(name[i]); c == '-' && name[i] != '-' {
			return false
		}
	}
	return name != ""
}
