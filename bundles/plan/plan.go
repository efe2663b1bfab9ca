package plan

import (
	"context"
	"errors"
	"fmt"
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
	defer func() {
		if cause := recover(); cause != nil { // of the planner or the translation: the policy can still be interpreted
			p, err = nil, fmt.Errorf("the planner failed: %v", cause)
		}
	}()
	data, err := cfg.Store.Read(ctx, cfg.Txn, storage.RootPath)
	if err != nil {
		return nil, err
	}
	value, ok := data.(ast.Value)
	if !ok {
		if value, err = ast.InterfaceToValue(data); err != nil {
			return nil, err
		}
	}
	if err := refuseBefore(cfg.Compiler, value); err != nil {
		return nil, err
	}
	policy, err := plan(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := refuse(policy, cfg.Compiler); err != nil {
		return nil, err
	}
	return translate(policy, value, cfg.Compiler.Capabilities())
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
