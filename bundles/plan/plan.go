package plan

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
)

// Config says what to compile.
type Config struct {
	Compiler *ast.Compiler // with the compiled modules
	Query    ast.Body      // as written, not yet compiled
	Store    storage.Store // holds the data, which must not change afterwards
	Txn      storage.Transaction
}

// Compile plans and translates a query. The error says why it cannot be compiled.
func Compile(ctx context.Context, cfg Config) (p *Program, err error) {
	defer refusePanic(&err)
	t, err := translate(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := t.query(t.policy.Plans.Plans[0]); err != nil {
		return nil, err
	}
	return t.program, nil
}

// CompileRules compiles, for each of several rules, the query for its value. It is like [Compile] for each, but plans and
// translates once what the queries have in common. Config.Query is ignored.
func CompileRules(ctx context.Context, cfg Config, rules []ast.Ref) (programs []*Program, err error) {
	defer refusePanic(&err)
	cfg.Query = nil
	for i, rule := range rules {
		cfg.Query.Append(ast.Equality.Expr(ast.VarTerm("value"+strconv.Itoa(i)), ast.NewTerm(rule)))
	}
	t, err := translate(ctx, cfg)
	if err != nil {
		return nil, err
	}
	for _, rule := range rules {
		if f := t.ruleAt(rule); f != nil {
			programs = append(programs, t.valueOf(f))
			continue
		}
		cfg.Query = ast.NewBody(ast.Equality.Expr(ast.VarTerm("value"), ast.NewTerm(rule))) // of several rules
		p, err := Compile(ctx, cfg)
		if err != nil {
			return nil, err
		}
		programs = append(programs, p)
	}
	return programs, nil
}

// Of returns OPA's plan of the query for the value of a rule, and the data that it reads, for whoever wants to do with it something
// else than evaluate it. It refuses what [Compile] refuses before it translates a plan. Config.Query is ignored.
func Of(ctx context.Context, cfg Config, rule ast.Ref) (policy *ir.Policy, data *ast.Term, err error) {
	defer refusePanic(&err)
	cfg.Query = ast.NewBody(ast.Equality.Expr(ast.VarTerm("value"), ast.NewTerm(rule)))
	policy, value, err := planOf(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	return policy, ast.NewTerm(value), nil
}

// refusePanic turns a panic of the planner or the translation into an error: the policy can still be interpreted. It must be
// deferred directly.
func refusePanic(err *error) {
	if cause := recover(); cause != nil {
		*err = fmt.Errorf("the planner failed: %v", cause)
	}
}

// target names our target to package rego, the only one that exports OPA's planner without compiling the modules again.
const target = "github.com/wardkeeper/wardkeeper/bundles/plan"

type captureKey struct{}

// capture is a plugin of package rego that takes the plan and evaluates nothing.
type capture struct{}

func (capture) IsTarget(name string) bool { return name == target }

func (capture) PrepareForEval(ctx context.Context, policy *ir.Policy, _ ...rego.PrepareOption) (rego.TargetPluginEval, error) {
	*ctx.Value(captureKey{}).(**ir.Policy) = policy
	return capture{}, nil
}

func (capture) Eval(context.Context, *rego.EvalContext, ast.Value) (ast.Value, error) {
	return nil, errors.New("plans are evaluated by package plan")
}

var register = sync.OnceFunc(func() { rego.RegisterPlugin(target, capture{}) })

func plan(ctx context.Context, cfg Config) (*ir.Policy, error) {
	register()
	var policy *ir.Policy
	_, err := rego.New(
		rego.ParsedQuery(cfg.Query),
		rego.Compiler(cfg.Compiler),
		rego.Store(cfg.Store),
		rego.Transaction(cfg.Txn),
		rego.Target(target),
		rego.EvalMode(ast.EvalModeTopdown), // without it, package rego sets the compiler to a mode without indices
	).PrepareForEval(context.WithValue(ctx, captureKey{}, &policy))
	return policy, err
}
