package plan_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/test/cases"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/types"
	"github.com/open-policy-agent/opa/v1/util"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles/plan"
)

// TestOPAConformance runs OPA's own cases. Each passes, or is refused when it is compiled and stands in testdata/refused.txt
// with the reason.
func TestOPAConformance(t *testing.T) {
	registerSleep()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/open-policy-agent/opa").Output()
	require.NoError(t, err)
	root := filepath.Join(strings.TrimSpace(string(out)), "v1", "test", "cases", "testdata")
	var refused []string
	for name, version := range map[string]ast.RegoVersion{"v0": ast.RegoV0, "v1": ast.RegoV1} {
		all := cases.MustLoad(filepath.Join(root, name)).Sorted().Cases
		require.Greater(t, len(all), 1000)
		for i, tc := range all {
			if fewerCases() && i%10 != 0 {
				continue
			}
			t.Run(name+"/"+tc.Note, func(t *testing.T) {
				for k, v := range tc.Env {
					t.Setenv(k, v)
				}
				if reason := check(t, tc, version); reason != nil {
					refused = append(refused, name+"/"+tc.Note+": "+reason.Error())
				}
			})
		}
	}
	if fewerCases() {
		return
	}
	slices.Sort(refused)
	want, err := os.ReadFile("testdata/refused.txt")
	require.NoError(t, err)
	require.Equal(t, string(want), strings.Join(refused, "\n")+"\n")
}

// Some of OPA's cases call a function that only its own tests have.
func registerSleep() {
	ast.RegisterBuiltin(&ast.Builtin{Name: "test.sleep", Decl: types.NewFunction(types.Args(types.S), types.NewNull())})
	topdown.RegisterBuiltinFunc("test.sleep", func(_ topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		d, err := time.ParseDuration(string(operands[0].Value.(ast.String)))
		if err != nil {
			return err
		}
		time.Sleep(d)
		return iter(ast.NullTerm())
	})
}

// check returns why a case is refused; nil if it is not.
func check(t *testing.T, tc cases.TestCase, version ast.RegoVersion) (refused error) {
	opts := ast.ParserOptions{RegoVersion: version}
	if tc.ExperimentalKeywords {
		opts.Capabilities = ast.CapabilitiesForThisVersion(ast.CapabilitiesExperimentalKeywords(true))
	}
	modules := map[string]string{}
	for i, m := range tc.Modules {
		modules["test-"+string(rune('0'+i))+".rego"] = m
	}
	compiler := ast.MustCompileModulesWithOpts(modules, ast.CompileOpts{ParserOptions: opts})
	store := inmem.New()
	if tc.Data != nil {
		store = inmem.NewFromObject(*tc.Data)
	}
	txn := storage.NewTransactionOrDie(t.Context(), store)
	program, err := plan.Compile(t.Context(), plan.Config{Compiler: compiler, Query: ast.MustParseBody(tc.Query), Store: store, Txn: txn})
	if err != nil {
		return err
	}
	var in *ast.Term
	if tc.InputTerm != nil {
		in = ast.MustParseTerm(*tc.InputTerm)
	} else if tc.Input != nil {
		in = ast.NewTerm(ast.MustInterfaceToValue(*tc.Input))
	}
	got := ast.NewSet()
	err = program.Eval(t.Context(), inParts(in), tc.StrictError, func(values []*ast.Term) {
		row := ast.NewObject()
		for i, name := range program.Vars() {
			v, err := ast.JSON(values[i].Value)
			require.NoError(t, err)
			if tc.SortBindings {
				slices.SortFunc(v.([]any), util.Compare)
			}
			if !tc.IgnoreGeneratedVars || !strings.HasPrefix(name, "__localq") {
				row.Insert(ast.StringTerm(name), ast.NewTerm(ast.MustInterfaceToValue(v)))
			}
		}
		got.Add(ast.NewTerm(row))
	})
	switch {
	case tc.WantError != nil:
		require.ErrorContains(t, err, *tc.WantError)
	case tc.WantErrorCode != nil:
		e, ok := err.(*topdown.Error)
		require.True(t, ok, "%v", err)
		require.Equal(t, *tc.WantErrorCode, e.Code)
	default:
		require.NoError(t, err)
		want := ast.NewSet()
		for _, b := range *tc.WantResult {
			row := ast.NewObject()
			for k, v := range b {
				row.Insert(ast.StringTerm(k), ast.NewTerm(ast.MustInterfaceToValue(v)))
			}
			want.Add(ast.NewTerm(row))
		}
		if want.Compare(got) != 0 {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	return nil
}
