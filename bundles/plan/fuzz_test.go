package plan_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/bundles/plan"
)

var (
	firstSeed = flag.Uint64("seed", 0, "the first seed of generated programs")
	programs  = flag.Uint64("programs", 500, "how many programs to generate")
	verbose   = flag.Bool("refused", false, "log why programs are refused")
)

// tally counts what became of generated programs.
type tally struct {
	programs, compiled, rules, kept, queries, refused, evaluations, undefined, failed, early int
}

func (c *tally) String() string {
	return fmt.Sprintf("%d programs, %d accepted by the compiler with %d of %d rules, %d queries, %d refused by the planner; %d evaluations, %d undefined, %d errors, %d of them conflicts that the interpreter does not meet",
		c.programs, c.compiled, c.kept, c.rules, c.queries, c.refused, c.evaluations, c.undefined, c.failed, c.early)
}

// TestGeneratedProgramsHaveTheInterpretersValues is the fuzz target with fixed seeds.
func TestGeneratedProgramsHaveTheInterpretersValues(t *testing.T) {
	count := tally{}
	if fewerCases() {
		*programs = min(*programs, 50)
	}
	for seed := range *programs {
		ok := !t.Failed()
		compare(t, randomBytes(seed+*firstSeed), &count)
		if ok && t.Failed() {
			t.Logf("seed %d", seed+*firstSeed)
		}
	}
	t.Log(count.String())
	require.Greater(t, count.compiled*10, count.programs*9, "the generator writes too many programs that the compiler refuses")
	require.Greater(t, count.kept*10, count.rules*6, "the generator writes too many rules that the compiler refuses")
}

// randomBytes returns enough bytes for most programs.
func randomBytes(seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, 1))
	bytes := make([]byte, 200+random.IntN(2000))
	for i := range bytes {
		bytes[i] = byte(random.Uint32())
	}
	return bytes
}

// FuzzPlan holds programs that the fuzzer generates against the interpreter.
func FuzzPlan(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(randomBytes(seed))
	}
	f.Fuzz(func(t *testing.T, bytes []byte) {
		if len(bytes) > 4000 {
			t.Skip()
		}
		compare(t, bytes, &tally{})
	})
}

// compare holds the queries of a generated program against the interpreter, without the rules that the compiler refuses.
func compare(t *testing.T, bytes []byte, count *tally) {
	p := generate(bytes)
	count.programs++
	count.rules += p.rules()
	policy, err := compilePolicy(t, p)
	for repairs := 0; err != nil; repairs++ {
		if repairs > 30 || !p.repair(err) {
			if *verbose {
				t.Logf("%v\n%v", err, p)
			}
			return
		}
		policy, err = compilePolicy(t, p)
	}
	count.compiled++
	count.kept += p.rules()
	p = policy.program
	data := policy.dataText(t)
	for _, query := range p.queries {
		count.queries++
		program, err := plan.Compile(t.Context(), plan.Config{Compiler: policy.compiler, Query: ast.MustParseBody(query), Store: policy.store, Txn: policy.txn})
		if err != nil {
			count.refused++
			if *verbose {
				t.Logf("%v", err)
			}
			continue
		}
		if !policy.compareQuery(t, query, program, count) {
			return
		}
	}
	if policy.dataText(t) != data {
		t.Errorf("the data has changed\n%v", p)
	}
}

// compareQuery evaluates a query for each input, then again in the opposite order and by several goroutines: the state that
// a program reuses must not show.
func (p *policy) compareQuery(t *testing.T, query string, program *plan.Program, count *tally) bool {
	outcomes := make([]outcome, len(p.inputs))
	for i, input := range p.inputs {
		copied := input.Copy()
		want := p.interpret(t, query, input, false, true)
		if want.code == topdown.CancelErr || want.code == topdown.InternalErr || want.code == "panic" {
			return true // the interpreter does not know
		}
		got := run(program, whole(input), false)
		outcomes[i] = got
		count.evaluations++
		switch {
		case got.err != nil:
			count.failed++
		case len(got.rows) == 0:
			count.undefined++
		}
		if !got.equal(want) {
			if p.missesConflict(t, query, input, got) {
				count.early++
			} else {
				small := shrink(t, p.program, query, p.program.inputs[i])
				_, text := differs(t, small, query, small.inputs[0])
				t.Errorf("%s\n%s\ninput: %s\n%v", query, text, small.inputs[0], small)
				return false
			}
		}
		if copied != nil && !copied.Equal(input) {
			t.Errorf("%s has changed the input\n%v\n%v\n%v", query, copied, input, p.program)
		}
	}
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			for i, input := range slices.Backward(p.inputs) {
				if again := run(program, inParts(input), false); !again.equal(outcomes[i]) {
					t.Errorf("%s\ninput: %v\nfirst: %v\nagain: %v\n%v", query, input, outcomes[i], again, p.program)
				}
			}
		})
	}
	group.Wait()
	for i, input := range p.inputs {
		for _, checks := range []int64{0, 1, 3, 10, 30} {
			ctx := &endsAfter{Context: t.Context(), left: checks}
			err := program.Eval(ctx, inParts(input), false, func([]*ast.Term) {})
			if ctx.left < 0 && !errors.Is(err, plan.ErrCanceled) {
				t.Errorf("%s: an evaluation canceled after %d checks ended with %v\n%v", query, checks, err, p.program)
			}
		}
		if again := run(program, inParts(input), false); !again.equal(outcomes[i]) {
			t.Errorf("%s\ninput: %v\nfirst: %v\nafter cancellation: %v\n%v", query, input, outcomes[i], again, p.program)
		}
	}
	return true
}

// endsAfter is a context that ends after it has been asked a number of times.
type endsAfter struct {
	context.Context
	left int64
}

func (c *endsAfter) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}
