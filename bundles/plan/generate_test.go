package plan_test

import (
	"fmt"
	"strings"
)

// source turns bytes into choices, so that whoever changes the bytes steers what is generated. When they are used up, every
// choice is the first, which ends the generation.
type source struct {
	bytes []byte
	at    int
}

func (s *source) done() bool { return s.at >= len(s.bytes) }

func (s *source) choose(n int) int {
	if s.done() || n <= 1 {
		return 0
	}
	b := s.bytes[s.at]
	s.at++
	return int(b) % n
}

func (s *source) maybe(percent int) bool { return s.choose(100) >= 100-percent }

func (s *source) pick(all ...string) string { return all[s.choose(len(all))] }

// kind is what a term evaluates to as far as the type checker knows, so that it accepts most programs.
type kind int

const (
	anything kind = iota // not known to the generator
	number
	text
	boolean
	array
	object
	set
	dynamic // not known to the type checker, because it depends on the input
)

type variable struct {
	name string
	kind kind
}

// document is something below data that terms may refer to.
type document struct {
	path  string
	kind  kind
	arity int // of a function; otherwise -1
}

// generator writes a program: modules, base data and the queries to try. Rules refer only to rules written before, so that
// none is recursive.
type generator struct {
	source
	documents []document
	dynamic   []string // packages that are complete, so that others may look into them by variable
	vars      []variable
	depth     int
	fresh     int
	negated   int  // depth of contexts where an unbound variable is refused
	bound     kind // of variables in the pattern in progress
	before    int  // how many variables were bound before the statement in progress
	refused   bool // constructs for which a whole program is refused may be written
	plain     bool // no functions, since the planner refuses references by variable to packages with functions
	body      *strings.Builder
}

// program is what a generator wrote.
type program struct {
	modules map[string]string
	data    string
	queries []string
	inputs  []string // "" is undefined
}

func (p program) String() string {
	var out strings.Builder
	for _, name := range []string{"lib", "sub", "test"} {
		fmt.Fprintf(&out, "%s\n", p.modules[name])
	}
	fmt.Fprintf(&out, "# data: %s\n", p.data)
	return out.String()
}

func generate(bytes []byte) program {
	g := &generator{source: source{bytes: bytes}}
	p := program{modules: map[string]string{}}
	p.data = g.baseData()
	for range 1 + g.choose(4) {
		p.inputs = append(p.inputs, g.input())
	}
	g.documents = []document{{"data.base", object, -1}, {"data.base.list", array, -1}, {"data.lib.facts", anything, -1}, {"data.lib.sub.more", anything, -1}}
	g.refused = g.maybe(15)
	g.plain = g.maybe(60)
	p.modules["lib"] = g.module("lib", 1+g.choose(4))
	p.modules["sub"] = g.module("lib.sub", g.choose(3))
	if g.refused {
		g.dynamic = []string{"data.lib", "data.lib.sub"}
	}
	g.plain = false
	p.modules["test"] = g.module("test", 1+g.choose(4))
	for _, d := range g.documents[4:] {
		if d.arity < 0 {
			p.queries = append(p.queries, "value = "+d.path)
		}
	}
	for _, d := range g.documents[4:] {
		switch {
		case d.arity > 0 && g.maybe(50):
			g.vars, g.dynamic = nil, nil
			p.queries = append(p.queries, "value = "+d.path+"("+strings.Join([]string{g.pick("input.a", "input.k", "input.n"), g.pick(`"a"`, "input.b")}[:d.arity], ", ")+")")
		case d.kind == object && g.maybe(50):
			p.queries = append(p.queries, "value = "+d.path+g.pick("[x]", "[x][y]", `["a"]`, "[input.k]", `["a"].b`))
		}
	}
	p.queries = append(p.queries, "value = data.test", "value = data.lib", g.pick("value = data.lib[x]", "value = data.lib[x][y]", "value = data", "value = data.lib.sub[x]"))
	return p
}

var (
	keys    = []string{"a", "b", "c", "x", "sub", "0", "facts"}
	strs    = []string{`"a"`, `"b"`, `"c"`, `""`, `"a b"`, `"é☺"`, `"0"`, `"1"`, `"10.0.0.1"`, `"2020-01-02T03:04:05Z"`, `"[1, 2]"`, `"sub"`, `"facts"`}
	numbers = []string{"0", "1", "2", "-1", "3", "0.5", "10", "1e2", "-0.25", "12345678901234567890", "1e19", "100000000000000000000.5", "9007199254740993", "1e-7"}
)

func (g *generator) json(depth int) string {
	if depth == 0 || g.maybe(45) {
		switch g.choose(8) {
		case 0, 1:
			return numbers[g.choose(len(numbers))]
		case 2:
			return g.pick("true", "false")
		case 3:
			return "null"
		case 4:
			return g.pick("0", "1", "2")
		case 5:
			return g.pick(`"a"`, `"b"`, `"c"`)
		default:
			return strs[g.choose(len(strs))]
		}
	}
	var parts []string
	if g.maybe(50) {
		for range g.choose(4) {
			parts = append(parts, g.json(depth-1))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	for _, key := range keys {
		if g.maybe(45) {
			parts = append(parts, fmt.Sprintf("%q: %s", key, g.json(depth-1)))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (g *generator) baseData() string {
	lib := ""
	if g.maybe(70) {
		lib = fmt.Sprintf(`, "lib": {"facts": %s, "sub": {"more": %s}}`, g.json(2), g.json(2))
		if g.maybe(10) {
			lib = fmt.Sprintf(`, "lib": {"facts": %s, "sub": %s}`, g.json(2), g.json(1))
		}
	}
	return fmt.Sprintf(`{"base": {"list": [%s, %s], "map": {"a": %s, "b": %s}, "0": %s}%s}`, g.json(1), g.json(1), g.json(2), g.json(1), g.json(1), lib)
}

func (g *generator) input() string {
	switch g.choose(10) {
	case 9:
		return ""
	case 8:
		return g.json(2)
	}
	var parts []string
	for _, key := range []string{"a", "b", "c", "k", "n", "list", "map"} {
		if !g.maybe(88) {
			continue
		}
		value := ""
		switch key {
		case "k":
			value = fmt.Sprintf("%q", keys[g.choose(len(keys))])
		case "n":
			value = numbers[g.choose(len(numbers))]
		case "list":
			value = fmt.Sprintf("[%s, %s, %s]", g.json(1), g.json(1), g.json(0))
		case "map":
			value = fmt.Sprintf(`{"a": %s, "b": %s, "x": %s}`, g.json(1), g.json(1), g.json(2))
		default:
			value = g.json(2)
		}
		parts = append(parts, fmt.Sprintf("%q: %s", key, value))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (g *generator) module(name string, groups int) string {
	out := &strings.Builder{}
	fmt.Fprintf(out, "package %s\n\nimport rego.v2\n", name)
	for i := range groups {
		g.group(out, name, fmt.Sprintf("%c%d", "pqrs"[g.choose(4)], i))
	}
	return out.String()
}

// group writes the rules of one name.
func (g *generator) group(out *strings.Builder, pkg, name string) {
	path := "data." + pkg + "." + name
	n := 9
	if g.plain {
		n = 7
	}
	switch g.choose(n) {
	case 0, 1:
		g.complete(out, name)
		g.documents = append(g.documents, document{path, anything, -1})
	case 2:
		for range 1 + g.choose(3) {
			g.rule(out, func() string { return name }, "")
		}
		g.documents = append(g.documents, document{path, boolean, -1})
	case 3:
		for range 1 + g.choose(3) {
			g.rule(out, func() string { return name + " contains " + g.term(anything) }, "")
		}
		g.documents = append(g.documents, document{path, set, -1})
	case 4:
		for range 1 + g.choose(3) {
			g.rule(out, func() string { return fmt.Sprintf("%s[%s] := %s", name, g.key(), g.value()) }, "")
		}
		g.documents = append(g.documents, document{path, object, -1})
	case 5, 6:
		g.nested(out, name, path)
	default:
		arity := 1 + g.choose(2)
		g.function(out, name, arity)
		g.documents = append(g.documents, document{path, anything, arity})
	}
}

// key returns a term that is suited as the key of a partial object.
func (g *generator) key() string {
	switch g.choose(4) {
	case 0, 1:
		return fmt.Sprintf("%q", keys[g.choose(len(keys))])
	case 2:
		if v, ok := g.variable(text); ok {
			return v
		}
	}
	return g.leaf(anything)
}

// value returns a term that is often the same, so that not every program has a conflict.
func (g *generator) value() string {
	switch g.choose(8) {
	case 0, 1, 2:
		return g.pick("1", `"a"`, "true", "false")
	case 3, 4:
		if v, ok := g.variable(anything); ok {
			return v
		}
	}
	return g.term(anything)
}

func (g *generator) complete(out *strings.Builder, name string) {
	if g.maybe(35) {
		fmt.Fprintf(out, "\ndefault %s := %s\n", name, g.constant(anything, 1))
	}
	for range 1 + g.choose(3) {
		g.rule(out, func() string { return name + " := " + g.value() }, ":=")
	}
}

func (g *generator) nested(out *strings.Builder, name, path string) {
	shape, mixed := g.choose(7), g.maybe(40)
	for range 1 + g.choose(3) {
		if mixed {
			shape = []int{0, 2, 4, 5, 6, 1, 3}[g.choose(7)]
		}
		g.rule(out, func() string {
			switch shape {
			case 0:
				return fmt.Sprintf("%s[%s][%s] := %s", name, g.key(), g.key(), g.value())
			case 1:
				return fmt.Sprintf("%s.%s := %s", name, g.pick("a", "b", "c"), g.value())
			case 2:
				return fmt.Sprintf("%s[%s] contains %s", name, g.key(), g.term(anything))
			case 3:
				return fmt.Sprintf("%s.a[%s] := %s", name, g.key(), g.value())
			case 5:
				return fmt.Sprintf("%s[%s] := %s", name, g.key(), g.pick(g.value(), `{"a": 1}`, `{"b": {1}}`, "{1}"))
			case 6:
				return fmt.Sprintf("%s[%s][%s][%s] := %s", name, g.key(), g.key(), g.key(), g.value())
			default:
				return fmt.Sprintf("%s[%s].b[%s] contains %s", name, g.key(), g.key(), g.value())
			}
		}, "")
	}
	g.documents = append(g.documents, document{path, object, -1})
	if shape == 3 {
		g.documents = append(g.documents, document{path + ".a", object, -1})
	}
}

func (g *generator) function(out *strings.Builder, name string, arity int) {
	if g.maybe(25) {
		fmt.Fprintf(out, "\ndefault %s(%s) := %s\n", name, strings.Join([]string{"_", "_"}[:arity], ", "), g.constant(anything, 1))
	}
	for range 1 + g.choose(3) {
		g.vars, g.bound = nil, dynamic
		params := make([]string, arity)
		for i := range params {
			params[i] = g.parameter(1)
		}
		vars := g.vars
		g.bound = anything
		g.ruleWith(out, vars, func() string { return fmt.Sprintf("%s(%s) := %s", name, strings.Join(params, ", "), g.value()) }, ":=")
	}
}

// parameter returns a pattern.
func (g *generator) parameter(depth int) string {
	n := 8
	if depth == 0 {
		n = 6
	}
	switch g.choose(n) {
	case 0, 1, 2:
		return g.bind(g.bound)
	case 3:
		return g.constant(anything, 0)
	case 4:
		return "_"
	case 5:
		return g.pick(`"a"`, `"b"`, `"c"`, "true", "false", `"a"`, "1", "null")
	case 6:
		parts := make([]string, g.choose(3))
		for i := range parts {
			parts[i] = g.parameter(depth - 1)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		parts := make([]string, g.choose(3))
		for i := range parts {
			parts[i] = fmt.Sprintf("%q: %s", []string{"a", "b", "c"}[i], g.parameter(depth-1))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
}

func (g *generator) rule(out *strings.Builder, head func() string, elses string) {
	g.ruleWith(out, nil, head, elses)
}

// ruleWith writes a rule. The body is written before its head, which uses the variables of the body.
func (g *generator) ruleWith(out *strings.Builder, vars []variable, head func() string, elses string) {
	g.vars, g.depth, g.negated = vars, 0, 0
	body := g.guard() + g.statements(g.choose(4))
	fmt.Fprintf(out, "\n%s", head())
	if body != "" {
		fmt.Fprintf(out, " if {\n%s}", body)
	} else if !strings.Contains(elses, ":=") {
		fmt.Fprint(out, " if true")
	}
	for elses != "" && body != "" && g.maybe(25) {
		g.vars = vars
		body = g.statements(g.choose(3))
		fmt.Fprintf(out, " else := %s", g.value())
		if body != "" {
			fmt.Fprintf(out, " if {\n%s}", body)
		}
	}
	fmt.Fprintln(out)
}

// guard returns a condition for the beginning of a rule, often on the same value as other rules: it decides which are tried.
func (g *generator) guard() string {
	if !g.maybe(25) {
		return ""
	}
	subject, ok := g.variable(dynamic)
	if !ok || g.maybe(50) {
		subject = g.pick("input.k", "input.k", "input.map.a", "input.n")
	}
	value := g.pick(`"a"`, `"b"`, `"c"`, `"x"`, "1", "true")
	if g.maybe(30) {
		return fmt.Sprintf("\t%s == %s\n", value, subject)
	}
	return fmt.Sprintf("\t%s == %s\n", subject, value)
}

func (g *generator) bind(k kind) string {
	v := fmt.Sprintf("v%d", g.fresh)
	g.fresh++
	g.vars = append(g.vars, variable{v, k})
	return v
}

// statements writes a body. Its variables stay bound.
func (g *generator) statements(n int) string {
	old := g.body
	g.body = &strings.Builder{}
	for range n {
		g.statement()
	}
	out := g.body.String()
	g.body = old
	return out
}

// scoped writes a body whose variables are forgotten after then.
func (g *generator) scoped(n int, then func(body string)) {
	vars := g.vars
	g.depth++
	then(strings.ReplaceAll(strings.TrimSpace(g.statements(n)), "\n\t", "; "))
	g.depth--
	g.vars = vars[:len(vars):len(vars)]
}

func (g *generator) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	fmt.Fprintf(g.body, "\t%s%s\n", text, g.with())
}

// some writes a statement that a with modifier cannot follow.
func (g *generator) some(format string, args ...any) {
	fmt.Fprintf(g.body, "\t"+format+"\n", args...)
}

func (g *generator) statement() {
	g.before = len(g.vars)
	if g.depth > 3 || g.done() {
		g.line("%s != %s", g.leaf(anything), g.leaf(anything))
		return
	}
	switch g.choose(22) {
	case 0, 1:
		t := g.reference(true)
		g.line("%s := %s", g.bind(anything), t)
	case 2:
		k := g.pickKind()
		t := g.term(k)
		g.line("%s := %s", g.bind(k), t)
	case 3, 4:
		c := g.collection()
		g.some("some %s in %s", g.bind(anything), c)
	case 5:
		c := g.collection()
		g.some("some %s, %s in %s", g.bind(anything), g.bind(anything), c)
	case 6:
		c := g.collection()
		g.some("some %s in %s", g.pattern(), c)
	case 7:
		ref := g.reference(false)
		v := g.bind(anything)
		g.some("some %s", v)
		g.line("%s[%s]", ref, v)
	case 8:
		ref := g.reference(false)
		v, w := g.bind(anything), g.bind(anything)
		g.some("some %s, %s", v, w)
		g.line("%s = %s[%s]", w, ref, v)
	case 9:
		k := g.pickKind()
		g.line("%s %s %s", g.term(k), g.pick("==", "!=", "<", "<=", ">", ">="), g.term(k))
	case 10:
		g.line("%s %s %s", g.term(anything), g.pick("==", "!=", "<", ">"), g.constant(anything, 1))
	case 11:
		g.line("%s in %s", g.term(anything), g.collection())
	case 12, 13:
		g.negation()
	case 14:
		g.every()
	case 15:
		t := g.term(anything)
		pattern, operator := g.pattern(), "="
		if !strings.ContainsAny(pattern, `"1`) && g.maybe(50) {
			operator = ":="
		}
		g.line("%s %s %s", pattern, operator, t)
	case 16:
		switch t := g.reference(true); g.choose(4) {
		case 0:
			g.line("%s", t)
		case 1:
			v := g.bind(anything)
			g.line("[%s, %s] = %s", v, v, g.pick(t, "["+t+", "+g.leaf(anything)+"]"))
		case 2:
			v, w := g.bind(anything), g.bind(anything)
			g.line("[%s, %s] = [%s, %s]", v, w, w, t)
		default:
			v, w := g.bind(anything), g.bind(anything)
			g.line(`{"a": %s, "b": {"c": %s}} = {"a": [%s, 1], "b": {"c": %s}}`, v, w, w, t)
		}
	case 17:
		g.walk()
	case 18:
		g.scoped(1, func(a string) {
			g.scoped(1, func(b string) {
				if strings.Contains(a, "some ") || strings.Contains(b, "some ") || strings.Contains(a, ":=") || strings.Contains(b, ":=") || strings.Contains(a+b, " with ") ||
					strings.HasPrefix(a, "{") || strings.HasPrefix(b, "{") || strings.Contains(a, "every") {
					g.some("%s %s %s", g.leaf(boolean), g.pick("or", "and"), g.leaf(boolean))
					return
				}
				g.some("%s %s %s", a, g.pick("or", "and"), b)
			})
		})
	case 19:
		g.line("%s", g.call(boolean))
	case 20:
		g.line("%s", g.call(anything))
	default:
		g.line("%s", g.term(boolean))
	}
}

func (g *generator) pattern() string {
	parts := make([]string, 1+g.choose(2))
	for i := range parts {
		parts[i] = g.parameter(0)
	}
	switch g.choose(3) {
	case 0, 1:
		return "[" + strings.Join(parts, ", ") + "]"
	}
	for i := range parts {
		parts[i] = fmt.Sprintf("%q: %s", []string{"a", "b"}[i], parts[i])
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (g *generator) negation() {
	switch g.choose(3) {
	case 0, 1:
		g.negated++
		g.line("not %s", g.pick(g.reference(true), g.call(boolean), g.leaf(anything)+" == "+g.leaf(anything), g.leaf(anything)+" in "+g.leaf(set)))
		g.negated--
	default:
		g.scoped(1+g.choose(2), func(body string) {
			g.some("not { %s }", body)
		})
	}
}

func (g *generator) every() {
	c := g.collection()
	vars := g.vars
	v := g.bind(anything)
	if g.maybe(30) {
		v += ", " + g.bind(anything)
	}
	g.scoped(1+g.choose(2), func(body string) { g.line("every %s in %s { %s }", v, c, body) })
	g.vars = vars[:len(vars):len(vars)]
}

func (g *generator) walk() {
	t := g.term(anything)
	switch g.choose(3) {
	case 0:
		g.line("walk(%s, [%s, %s])", t, g.bind(anything), g.bind(anything))
	case 1:
		v := g.bind(anything)
		g.line("walk(%s, %s)", t, v)
	default:
		g.line("walk(%s, [_, %s])", t, g.constant(anything, 0))
	}
}

// with returns modifiers for a statement.
func (g *generator) with() string {
	if g.depth > 2 || !g.maybe(14) {
		return ""
	}
	vars := g.vars
	g.vars = vars[:min(g.before, len(vars))]
	defer func() { g.vars = vars }()
	var out strings.Builder
	for range 1 + g.choose(2) {
		target, value, kinds := "", "", 3
		if g.refused {
			kinds = 8
		}
		switch g.choose(kinds) {
		case 0:
			target, value = "input", g.term(anything)
		case 1, 2:
			target, value = g.pick("input.a", "input.b.c", "input.map", "input.map.x", "input.list", "input.k"), g.term(anything)
		case 3:
			target, value = g.pick("data.base.map", "data.base.map.a.b", "data.base", "data.lib.facts", "data.lib.sub.more", "data.lib"), g.term(anything)
		case 4:
			target, value = g.pick("count", "upper", "time.now_ns", "sum"), g.pick(g.constant(anything, 1), "lower", "max", g.functionName(1), g.leaf(anything))
		default:
			d := g.documents[g.choose(len(g.documents))]
			target, value = d.path, g.term(anything)
			if d.arity > 0 && g.maybe(50) {
				value = g.functionName(d.arity)
			} else if g.maybe(30) {
				target += "." + g.pick("a", "b", "c")
			}
		}
		fmt.Fprintf(&out, " with %s as %s", target, value)
	}
	return out.String()
}

func (g *generator) functionName(arity int) string {
	for i := range g.documents {
		if d := g.documents[len(g.documents)-1-i]; d.arity == arity && g.maybe(70) {
			return d.path
		}
	}
	return g.pick("1", `"a"`, "input.a")
}

func (g *generator) pickKind() kind { return kind(g.choose(7)) }

func (g *generator) variable(k kind) (string, bool) {
	var fit []string
	for _, v := range g.vars {
		if v.kind == k || v.kind == dynamic || k == anything {
			fit = append(fit, v.name)
		}
	}
	if len(fit) == 0 {
		return "", false
	}
	return fit[len(fit)-1-g.choose(len(fit))], true
}

// collection returns a term to iterate over.
func (g *generator) collection() string {
	switch g.choose(8) {
	case 0:
		return "input.list"
	case 1:
		return "input.map"
	case 2:
		return g.pick("data.base.list", "data.base.map", "data.base")
	case 3, 4:
		return g.reference(false)
	case 5:
		return g.term(set)
	case 6:
		return g.term(object)
	default:
		return g.term(array)
	}
}

// reference returns a reference to the input, a variable's value or something below data. It may iterate.
func (g *generator) reference(deep bool) string {
	base := ""
	n := 10
	if len(g.dynamic) == 0 {
		n = 7
	}
	switch g.choose(n) {
	case 0:
		base = "input"
	case 1:
		base = g.pick("input.a", "input.map", "input.list", "input.b")
	case 2:
		if v, ok := g.variable(dynamic); ok {
			base = v
			break
		}
		base = "input.map"
	case 3:
		base = "data.base"
	case 7, 8, 9:
		base = g.dynamic[g.choose(len(g.dynamic))]
		for range 1 + g.choose(2) {
			base += g.accessor(true)
		}
	default:
		d := g.documents[g.choose(len(g.documents))]
		if d.arity >= 0 {
			return g.apply(d)
		}
		base = d.path
		switch d.kind {
		case boolean:
			return base
		case set:
			if g.maybe(50) {
				base += g.accessor(true)
			}
			return base
		case anything:
			if g.maybe(70) && !strings.Contains(base, "facts") {
				return base
			}
		}
	}
	for range g.choose(3) {
		base += g.accessor(false)
	}
	if deep && base == "input" {
		base += g.accessor(false)
	}
	return base
}

func (g *generator) accessor(dynamic bool) string {
	n := 7
	if dynamic {
		n = 9
	}
	switch g.choose(n) {
	case 0:
		return "." + g.pick("a", "b", "c", "x")
	case 1:
		return fmt.Sprintf("[%q]", keys[g.choose(len(keys))])
	case 2:
		return "[" + g.pick("0", "1", "2") + "]"
	case 3:
		return "[input.k]"
	case 4:
		if g.negated == 0 {
			return "[_]"
		}
	case 5:
		return "[" + g.leaf(anything) + "]"
	}
	if v, ok := g.variable(text); ok {
		return "[" + v + "]"
	}
	return "[input.k]"
}

func (g *generator) apply(d document) string {
	args := make([]string, d.arity)
	for i := range args {
		args[i] = g.term(anything)
	}
	return d.path + "(" + strings.Join(args, ", ") + ")"
}

func (g *generator) constant(k kind, depth int) string {
	if k == anything {
		k = g.pickKind()
	}
	if depth <= 0 && k > boolean {
		k = g.pickConstant()
	}
	var parts []string
	switch k {
	case number:
		return numbers[g.choose(len(numbers))]
	case text:
		return strs[g.choose(len(strs))]
	case boolean:
		return g.pick("true", "false")
	case array:
		for range g.choose(4) {
			parts = append(parts, g.constant(anything, depth-1))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case object:
		for range g.choose(4) {
			parts = append(parts, fmt.Sprintf("%s: %s", g.constant(g.pickConstant(), depth-1), g.constant(anything, depth-1)))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case set:
		for range g.choose(4) {
			parts = append(parts, g.constant(anything, depth-1))
		}
		if len(parts) == 0 {
			return "set()"
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return g.pick("1", "null", `"a"`)
}

func (g *generator) pickConstant() kind { return kind(1 + g.choose(3)) }

func (g *generator) leaf(k kind) string {
	switch g.choose(5) {
	case 0, 1:
		if v, ok := g.variable(k); ok {
			return v
		}
		return g.constant(k, 0)
	case 2:
		return g.constant(k, 0)
	}
	switch k {
	case number:
		return g.pick("input.n", "data.base.list[0]", "input.list[0]")
	case text:
		return g.pick("input.k", "input.map.a")
	case array:
		return g.pick("input.list", "data.base.list")
	case object:
		return g.pick("input.map", "data.base.map", "input")
	case set:
		return "{" + g.pick("input.k", "input.n", "1, input.a") + "}"
	}
	return g.pick("input.a", "input.b", "input.c", "input.n", "input.k", "input.map.a", "input", "input.list[0]", "data.base.map.a")
}

func (g *generator) term(k kind) string {
	if g.depth > 3 || g.done() {
		return g.leaf(k)
	}
	g.depth++
	defer func() { g.depth-- }()
	switch g.choose(12) {
	case 0, 1, 2:
		return g.leaf(k)
	case 3, 4:
		if k == anything || g.maybe(10) {
			return g.reference(true)
		}
		base := g.pick("input", "input.map", "input.a", "data.base.map", "data.lib.facts")
		return base + g.accessor(false)
	case 5, 6:
		return g.call(k)
	case 7:
		return g.constant(k, 2)
	case 8:
		if k != number && k != text && k != boolean {
			return g.comprehension(k)
		}
	}
	switch k {
	case number:
		return fmt.Sprintf("(%s %s %s)", g.term(number), g.pick("+", "-", "*", "/", "%"), g.term(number))
	case text:
		return fmt.Sprintf(`$"<{%s}{%s}>"`, g.leaf(anything), g.leaf(text))
	case boolean:
		return g.call(boolean)
	case array:
		parts := make([]string, g.choose(3))
		for i := range parts {
			parts[i] = g.term(anything)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case set:
		if g.maybe(50) {
			return fmt.Sprintf("(%s %s %s)", g.term(set), g.pick("&", "|", "-"), g.term(set))
		}
		return fmt.Sprintf("{%s, %s}", g.term(anything), g.term(anything))
	case object:
		return fmt.Sprintf("{%s: %s, %s: %s}", g.key(), g.term(anything), g.pick(`"z"`, "1", "[1]", "input.k", "input.map.a", "input.n"), g.term(anything))
	}
	return g.term(g.pickKind())
}

func (g *generator) comprehension(k kind) string {
	if k != set && k != object && k != array {
		k = array
		if g.maybe(50) {
			k = set
		}
	}
	out := ""
	negated := g.negated
	g.negated = 0
	vars := g.vars
	g.scoped(1+g.choose(2), func(body string) {
		switch k {
		case array:
			out = fmt.Sprintf("[%s | %s]", g.leaf(anything), body)
		case set:
			out = fmt.Sprintf("{%s | %s}", g.leaf(anything), body)
		default:
			out = fmt.Sprintf("{%s: %s | %s}", g.key(), g.leaf(anything), body)
		}
	})
	g.vars, g.negated = vars[:len(vars):len(vars)], negated
	return out
}

type builtinCall struct {
	name   string
	args   string // a letter for each; see argument
	result kind
}

var calls = []builtinCall{
	{"count", "o", number}, {"count", "s", number}, {"count", "d", number}, {"object.get", "dxx", anything},
	{"count", "c", number}, {"sum", "c", number}, {"max", "c", anything}, {"min", "c", anything}, {"product", "c", number}, {"sort", "c", array},
	{"abs", "n", number}, {"ceil", "n", number}, {"floor", "n", number}, {"round", "n", number},
	{"array.concat", "aa", array}, {"array.slice", "an1", array}, {"array.reverse", "a", array},
	{"union", "S", set}, {"intersection", "S", set},
	{"concat", "sa", text}, {"contains", "ss", boolean}, {"startswith", "ss", boolean}, {"endswith", "ss", boolean}, {"indexof", "ss", number},
	{"indexof_n", "ss", array}, {"lower", "s", text}, {"upper", "s", text}, {"replace", "sss", text}, {"split", "ss", array},
	{"sprintf", "fa", text}, {"substring", "snn", text}, {"trim", "ss", text}, {"trim_prefix", "ss", text}, {"trim_space", "s", text},
	{"strings.reverse", "s", text}, {"strings.any_prefix_match", "ss", boolean}, {"strings.count", "ss", number}, {"strings.replace_n", "os", text},
	{"format_int", "nN", text}, {"to_number", "x", number}, {"numbers.range", "NN", array}, {"numbers.range_step", "NNN", array},
	{"object.get", "oxx", anything}, {"object.get", "oax", anything}, {"object.keys", "o", set}, {"object.remove", "oc", object}, {"object.filter", "oc", object},
	{"object.union", "oo", object}, {"object.union_n", "A", object}, {"object.subset", "oo", boolean},
	{"json.filter", "op", object}, {"json.remove", "op", object}, {"json.patch", "oP", anything}, {"json.marshal", "x", text}, {"json.unmarshal", "s", anything},
	{"json.is_valid", "s", boolean}, {"base64.encode", "s", text}, {"base64.decode", "s", text}, {"hex.encode", "s", text}, {"urlquery.encode", "s", text},
	{"yaml.marshal", "x", text}, {"regex.match", "rs", boolean}, {"regex.split", "rs", array}, {"regex.find_n", "rsN", array}, {"regex.replace", "srs", text},
	{"regex.find_all_string_submatch_n", "rsN", array}, {"glob.match", "sls", boolean}, {"type_name", "x", text}, {"is_number", "x", boolean},
	{"is_string", "x", boolean}, {"is_set", "x", boolean}, {"is_object", "x", boolean}, {"is_array", "x", boolean}, {"is_null", "x", boolean}, {"is_boolean", "x", boolean},
	{"bits.and", "NN", number}, {"bits.lsh", "NN", number}, {"bits.negate", "n", number}, {"crypto.sha256", "s", text}, {"time.parse_rfc3339_ns", "s", number},
	{"time.date", "n", array}, {"time.format", "n", text}, {"units.parse", "s", number}, {"semver.compare", "ss", number},
	{"graph.reachable", "oc", set}, {"graph.reachable_paths", "oc", set}, {"net.cidr_contains", "ss", boolean},
}

// call returns a call of a built-in function or of one of the program's.
func (g *generator) call(k kind) string {
	if g.maybe(30) {
		for i := range g.documents {
			if d := g.documents[len(g.documents)-1-i]; d.arity > 0 && g.maybe(60) {
				return g.apply(d)
			}
		}
	}
	if g.maybe(3) {
		return g.pick("(time.now_ns() == time.now_ns())", `(rand.intn("a", 10) == rand.intn("a", 10))`, `(uuid.rfc4122("k") == uuid.rfc4122("k"))`)
	}
	var fit []builtinCall
	for _, c := range calls {
		if (c.result == k || k == anything) && c.args != "" {
			fit = append(fit, c)
		}
	}
	c := fit[g.choose(len(fit))]
	args := make([]string, len(c.args))
	for i := range args {
		args[i] = g.argument(c.args[i])
	}
	return c.name + "(" + strings.Join(args, ", ") + ")"
}

func (g *generator) argument(letter byte) string {
	switch letter {
	case 'n':
		return g.term(number)
	case 'N':
		return g.pick("1", "2", "10", "0", "16", "-1")
	case 'd':
		return g.leaf(dynamic)
	case '1':
		return g.pick("1", "2", "5")
	case 's':
		return g.term(text)
	case 'a':
		return g.term(array)
	case 'o':
		return g.term(object)
	case 'c':
		if g.maybe(50) {
			return g.term(set)
		}
		return g.term(array)
	case 'S':
		return fmt.Sprintf("{%s, %s}", g.term(set), g.term(set))
	case 'A':
		return fmt.Sprintf("[%s, %s]", g.term(object), g.term(object))
	case 'f':
		return g.pick(`"%v"`, `"%d %s"`, `"%v-%v"`, `"%5.2f"`, `"%q"`)
	case 'r':
		return g.pick(`"a"`, `"[a-c]+"`, `"(.)b"`, `"["`, `"\\d"`)
	case 'l':
		return g.pick("[]", `["."]`, "null")
	case 'p':
		return g.pick(`["a"]`, `["a/b", "x"]`, `[["a", "b"]]`, `{"a", "c"}`)
	case 'P':
		return fmt.Sprintf(`[{"op": %s, "path": %s, "value": %s}]`, g.pick(`"add"`, `"replace"`, `"remove"`, `"test"`), g.pick(`"/a"`, `"a/b"`, `["x"]`, `""`), g.leaf(anything))
	}
	return g.term(anything)
}
