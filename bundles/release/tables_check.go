package release

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"
)

// CheckTables checks the tables and rules of a policy that judges by membership facts against each other. It reports, one
// per line, the facts that the schema of the input does not know (see [UnknownFacts]), and the rules that a table of
// actions names but no clause of met states: they would always be broken. A policy without a catalogue passes.
func (d *SourceTree) CheckTables() error {
	if !d.hasCatalogue() {
		return nil
	}
	var wrong []error
	if d.schema != nil {
		var schema any
		if err := util.UnmarshalJSON(d.schema, &schema); err != nil {
			return fmt.Errorf("the schema of the input: %w", err)
		}
		for _, m := range d.content.Modules {
			for _, ref := range UnknownFacts(m.Parsed, schema) {
				wrong = append(wrong, fmt.Errorf("%s:%d: there is no fact %s: schemas/input.json lists the facts",
					strings.TrimPrefix(m.Path, "/"), ref[0].Location.Row, ref))
			}
		}
	}
	for _, at := range d.models() {
		stated := d.statedRules(at)
		actions, _ := d.table(at)["actions"].(map[string]any)
		for _, action := range slices.Sorted(maps.Keys(actions)) {
			entry, _ := actions[action].(map[string]any)
			for _, list := range []string{"rules", "required_rules"} {
				for _, name := range textsIn(entry[list]) {
					if !stated[name] {
						wrong = append(wrong, fmt.Errorf("%s: actions, %s, %s: no clause of met states the rule %s: write one, or correct the name",
							at, action, list, name))
					}
				}
			}
		}
	}
	return errors.Join(wrong...)
}

// UncheckedTables lists, sorted, the tables that are not read by any rule that faults depends on: their content is not
// checked when the policy is loaded. A policy without a catalogue has none.
func (d *SourceTree) UncheckedTables() []string {
	if !d.hasCatalogue() {
		return nil
	}
	read := d.readByFaults()
	var found []string
	for _, at := range append([]string{d.home()}, d.models()...) {
		for name := range d.table(at) {
			table := path.Join(at, name)
			if !d.isPackage(table) && !slices.ContainsFunc(read, func(r string) bool { return r == table || strings.HasPrefix(r, table+"/") }) {
				found = append(found, table)
			}
		}
	}
	slices.Sort(found)
	return found
}

// factArguments has the argument names under which rules pass facts around, with the paths of these facts in the schema of
// the input.
var factArguments = map[string][]string{
	"at": {"facts", "current"}, "place": {"facts", "place"}, "member": {"facts", "user"},
}

// UnknownFacts lists the references in a module whose members the schema of the input does not know: references into the
// input, and into arguments named at, place and member. Unlike OPA's own check, it also looks behind keys that are
// variables, into maps that are keyed by id.
func UnknownFacts(module *ast.Module, schema any) []ast.Ref {
	meanings := map[string]any{"input": schema}
	for name, path := range factArguments {
		meaning := schema
		for _, step := range path {
			node, _ := meaning.(map[string]any)
			properties, _ := node["properties"].(map[string]any)
			meaning = properties[step]
		}
		meanings[name] = meaning
	}
	var found []ast.Ref
	ast.WalkRefs(module, func(ref ast.Ref) bool {
		if head, ok := ref[0].Value.(ast.Var); ok {
			if schema, has := meanings[string(head)]; has && !known(schema, ref[1:]) {
				found = append(found, ref)
			}
		}
		return false
	})
	return found
}

// known reports whether a schema has the members that steps lead through.
func known(schema any, steps ast.Ref) bool {
	node, _ := schema.(map[string]any)
	if len(steps) == 0 || len(node) == 0 {
		return true
	}
	properties, _ := node["properties"].(map[string]any)
	more, isMap := node["additionalProperties"].(map[string]any)
	key, isText := steps[0].Value.(ast.String)
	if next, found := properties[string(key)]; isText && found {
		return known(next, steps[1:])
	}
	if isText && !isMap {
		return false
	}
	return !isMap && len(properties) > 0 || isMap && known(more, steps[1:])
}

// home returns the folder of the entrypoint's package.
func (d *SourceTree) home() string { return path.Dir(d.entrypoint) }

func (d *SourceTree) hasCatalogue() bool {
	for _, m := range d.content.Modules {
		if folder(m.Parsed) == d.home() && slices.ContainsFunc(m.Parsed.Rules, func(r *ast.Rule) bool { return ruleName(r) == "catalogue" }) {
			return true
		}
	}
	return false
}

// models returns the folders below home whose packages have a table of actions.
func (d *SourceTree) models() []string {
	var found []string
	for _, m := range d.content.Modules {
		at := folder(m.Parsed)
		if path.Dir(at) == d.home() && d.table(at)["actions"] != nil && !slices.Contains(found, at) {
			found = append(found, at)
		}
	}
	slices.Sort(found)
	return found
}

// table returns the data at a folder.
func (d *SourceTree) table(at string) map[string]any {
	data := d.content.Data
	for _, name := range strings.Split(at, "/") {
		data, _ = data[name].(map[string]any)
	}
	return data
}

func (d *SourceTree) isPackage(at string) bool {
	return slices.ContainsFunc(d.content.Modules, func(m bundle.ModuleFile) bool {
		return folder(m.Parsed) == at || strings.HasPrefix(folder(m.Parsed), at+"/")
	})
}

// statedRules returns the strings that clauses of met have as their first argument or compare it with.
func (d *SourceTree) statedRules(at string) map[string]bool {
	stated := map[string]bool{}
	for _, m := range d.content.Modules {
		for _, rule := range m.Parsed.Rules {
			if folder(m.Parsed) != at || ruleName(rule) != "met" || len(rule.Head.Args) == 0 {
				continue
			}
			if text, ok := rule.Head.Args[0].Value.(ast.String); ok {
				stated[string(text)] = true
			}
			for _, expr := range rule.Body {
				if operands := expr.Operands(); len(operands) == 2 && operands[0].Equal(rule.Head.Args[0]) {
					ast.WalkTerms(operands[1], func(term *ast.Term) bool {
						if text, ok := term.Value.(ast.String); ok {
							stated[string(text)] = true
						}
						return false
					})
				}
			}
		}
	}
	return stated
}

// readByFaults lists the paths below data that are read by the rules that faults depends on.
func (d *SourceTree) readByFaults() []string {
	type named struct {
		module *ast.Module
		rule   *ast.Rule
	}
	rules := map[string][]named{}
	for _, m := range d.content.Modules {
		for _, rule := range m.Parsed.Rules {
			at := path.Join(folder(m.Parsed), ruleName(rule))
			rules[at] = append(rules[at], named{m.Parsed, rule})
		}
	}
	var read []string
	queue, seen := []string{path.Join(d.home(), "faults")}, map[string]bool{}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if seen[at] {
			continue
		}
		seen[at] = true
		read = append(read, at)
		for _, found := range rules[at] {
			visit := func(to string) {
				queue = append(queue, to)
				for name := range rules {
					if strings.HasPrefix(to, name+"/") {
						queue = append(queue, name)
					}
				}
			}
			ast.WalkRefs(found.rule, func(ref ast.Ref) bool {
				visit(resolve(found.module, ref))
				return false
			})
			ast.WalkVars(found.rule, func(v ast.Var) bool {
				visit(path.Join(folder(found.module), string(v)))
				return false
			})
		}
	}
	return read
}

// resolve returns the path below data that a reference leads to, up to its first part that is not constant.
func resolve(module *ast.Module, ref ast.Ref) string {
	head, _ := ref[0].Value.(ast.Var)
	at := path.Join(folder(module), string(head))
	if head == ast.DefaultRootDocument.Value.(ast.Var) {
		at = ""
	}
	for _, i := range module.Imports {
		if imported, ok := i.Path.Value.(ast.Ref); ok && i.Name() == head {
			at = constantPath(imported[1:])
		}
	}
	return path.Join(at, constantPath(ref[1:]))
}

func constantPath(steps ast.Ref) string {
	var names []string
	for _, step := range steps {
		name, ok := step.Value.(ast.String)
		if !ok {
			break
		}
		names = append(names, string(name))
	}
	return path.Join(names...)
}

// folder returns the path of a module's package below data.
func folder(module *ast.Module) string { return constantPath(module.Package.Path[1:]) }

func ruleName(rule *ast.Rule) string { return rule.Head.Ref()[0].String() }

// textsIn returns the strings in lists and objects at any depth, in their order; members of objects are sorted by name.
func textsIn(value any) []string {
	var found []string
	switch value := value.(type) {
	case string:
		found = append(found, value)
	case []any:
		for _, element := range value {
			found = append(found, textsIn(element)...)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			found = append(found, textsIn(value[name])...)
		}
	}
	return found
}
