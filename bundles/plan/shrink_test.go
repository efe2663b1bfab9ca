package plan_test

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/wardkeeper/wardkeeper/bundles/plan"
)

// rules counts the rules of a program.
func (p program) rules() int {
	n := 0
	for _, text := range p.modules {
		n += strings.Count(text, "\n\n") - 1
	}
	return n
}

// repair removes the rules that the compiler complains about.
func (p program) repair(err error) bool {
	var faults ast.Errors
	if !errors.As(err, &faults) {
		return false
	}
	repaired := false
	for _, fault := range faults {
		if fault.Location == nil {
			continue
		}
		before, after := 0, ""
		for i, chunk := range strings.SplitAfter(p.modules[fault.Location.File], "\n\n") {
			rows := strings.Count(chunk, "\n")
			if i > 1 && before < fault.Location.Row && fault.Location.Row <= before+rows+1 && !repaired {
				repaired = true
			} else {
				after += chunk
			}
			before += rows
		}
		p.modules[fault.Location.File] = after
		if repaired {
			return true
		}
	}
	return false
}

// differs reports whether the evaluator's answer is not the interpreter's.
func differs(t testing.TB, p program, query, input string) (bool, string) {
	p.inputs = []string{input}
	policy, err := compilePolicy(t, p)
	if err != nil {
		return false, err.Error()
	}
	if _, err := policy.compiler.QueryCompiler().Compile(ast.MustParseBody(query)); err != nil {
		return false, err.Error()
	}
	program, err := plan.Compile(t.Context(), plan.Config{Compiler: policy.compiler, Query: ast.MustParseBody(query), Store: policy.store, Txn: policy.txn})
	if err != nil {
		return false, err.Error()
	}
	want := policy.interpret(t, query, policy.inputs[0], false, true)
	if want.code == topdown.InternalErr || want.code == "panic" {
		return false, ""
	}
	got := run(program, whole(policy.inputs[0]), false)
	if got.equal(want) {
		got = run(program, inParts(policy.inputs[0]), false)
	}
	return !got.equal(want) && !policy.missesConflict(t, query, policy.inputs[0], got), fmt.Sprintf("compiled: %v\ninterpreted: %v", got, want)
}

// shrink removes rules and statements as long as the answers differ.
func shrink(t testing.TB, p program, query, input string) program {
	try := func(name, text string) bool {
		candidate := program{modules: maps.Clone(p.modules), data: p.data, inputs: []string{input}}
		candidate.modules[name] = text
		ok, _ := differs(t, candidate, query, input)
		if ok {
			p = candidate
		}
		return ok
	}
	for _, separator := range []string{"\n\n", "\n"} {
		for _, name := range []string{"test", "sub", "lib", "test", "sub", "lib"} {
			for i := 2; ; i++ {
				parts := strings.SplitAfter(p.modules[name], separator)
				if i >= len(parts) {
					break
				}
				if parts[i] != "" && try(name, strings.Join(slices.Delete(parts, i, i+1), "")) {
					i--
				}
			}
		}
	}
	for _, pattern := range shrinking {
		for _, name := range []string{"test", "sub", "lib"} {
			for at := 0; at < len(p.modules[name]); {
				found := pattern.FindStringIndex(p.modules[name][at:])
				if found == nil {
					break
				}
				text := p.modules[name]
				for _, replacement := range []string{"", "1", "\"a\"", "input"} {
					if text[at+found[0]:at+found[1]] != replacement && try(name, text[:at+found[0]]+replacement+text[at+found[1]:]) {
						break
					}
				}
				at += found[0] + 1
			}
		}
	}
	for _, data := range []string{`{}`, `{"base": {}}`, `{"lib": {}}`} {
		candidate := program{modules: p.modules, data: data, inputs: []string{input}}
		if ok, _ := differs(t, candidate, query, input); ok {
			p = candidate
			break
		}
	}
	for _, empty := range []string{`{}`, ``} {
		candidate := program{modules: p.modules, data: p.data, inputs: []string{empty}}
		if ok, _ := differs(t, candidate, query, empty); ok {
			p = candidate
		}
	}
	p.inputs = append(p.inputs, input)[:1]
	return p
}

// shrinking are the parts of a program to remove or to make simpler.
var shrinking = []*regexp.Regexp{
	regexp.MustCompile(` with \S+ as \S+`), regexp.MustCompile(`\w[\w.]*\([^()]*\)`), regexp.MustCompile(`[{\[][^{}\[\]]*[}\]]`),
	regexp.MustCompile(`\([^()]*\)`), regexp.MustCompile(`(data|input)[.\w]+`), regexp.MustCompile(`; [^;}\]]*`), regexp.MustCompile(`"[^"]+"`),
	regexp.MustCompile(`\w[\w.]*\([^()]*\)`), regexp.MustCompile(`[{\[][^{}\[\]]*[}\]]`),
}
