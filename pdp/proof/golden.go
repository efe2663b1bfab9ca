package proof

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// Limits on golden decisions, and on the failures that are reported in full.
const (
	maxDecisions = 20_000
	maxReported  = 5
)

// Golden has decisions that must not change, and the directories that they are made over. A bundle has them in
// golden/data.json or golden/data.yaml.
type Golden struct {
	Directories map[string]json.RawMessage `json:"directories,omitempty"`
	Decisions   []GoldenDecision           `json:"decisions"`
}

// GoldenDecision is one question with the complete answer: a list that is absent here must be absent from the answer.
type GoldenDecision struct {
	Name        string          `json:"name"`
	Directory   string          `json:"directory,omitempty"` // of Directories; "" if the policy needs none
	Question    json.RawMessage `json:"question"`            // an AuthZEN evaluation
	Decision    *bool           `json:"decision"`
	Reasons     []any           `json:"reasons,omitempty"`
	Obligations []any           `json:"obligations,omitempty"`
	Advice      []any           `json:"advice,omitempty"`
	Context     map[string]any  `json:"context,omitempty"` // anything else that the answer says
}

// DecodeGolden decodes golden decisions. Unknown members, and an absent list of decisions, are errors, because they would
// prove nothing.
func DecodeGolden(data []byte) (*Golden, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var g Golden
	if err := decoder.Decode(&g); err != nil {
		return nil, fmt.Errorf("the golden decisions cannot be read: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("the golden decisions cannot be read: there is data after them")
	}
	if g.Decisions == nil {
		return nil, errors.New("there are no golden decisions: write a list of decisions")
	}
	if len(g.Decisions) > maxDecisions {
		return nil, fmt.Errorf("there are more than %d golden decisions", maxDecisions)
	}
	return &g, nil
}

// OpenDirectory parses a directory and validates it against a vocabulary.
type OpenDirectory func(data []byte, v pdp.Vocabulary) (facts.View, error)

// Check makes a policy decide every golden question. The error names the decisions that differ, the first few in full. A
// directory that is not valid by the policy's tables is an error, too.
func (g *Golden) Check(ctx context.Context, p *pdp.Policy, open OpenDirectory) error {
	return g.check(ctx, p, open, len(g.Decisions))
}

// CheckUntilFirst is like [Golden.Check], and stops at the first decision that differs.
func (g *Golden) CheckUntilFirst(ctx context.Context, p *pdp.Policy, open OpenDirectory) error {
	return g.check(ctx, p, open, 1)
}

// check stops once the given number of decisions differ.
func (g *Golden) check(ctx context.Context, p *pdp.Policy, open OpenDirectory, stopAt int) error {
	engines := map[string]*pdp.Engine{"": engine(p, nil)}
	for _, name := range slices.Sorted(maps.Keys(g.Directories)) {
		if p.Vocabulary() == nil {
			return fmt.Errorf("golden decisions are made over the directory %s, but the policy has no vocabulary for directories", name)
		}
		view, err := open(g.Directories[name], *p.Vocabulary())
		if err != nil {
			return fmt.Errorf("the directory %s of the golden decisions: %w", name, err)
		}
		engines[name] = engine(p, fixedSource{view})
	}
	var faults []error
	wrong := 0
	for _, d := range g.Decisions {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := fmt.Errorf("there is no directory %q", d.Directory)
		if e := engines[d.Directory]; e != nil {
			err = d.check(ctx, e)
		}
		if err == nil {
			continue
		}
		if wrong++; wrong <= maxReported {
			faults = append(faults, fmt.Errorf("%s: %w", d.Name, err))
		}
		if wrong == stopAt {
			break
		}
	}
	if wrong > maxReported {
		faults = append(faults, fmt.Errorf("and %d more of %d golden decisions", wrong-maxReported, len(g.Decisions)))
	}
	return errors.Join(faults...)
}

func (d *GoldenDecision) check(ctx context.Context, e *pdp.Engine) error {
	if d.Decision == nil {
		return errors.New("the member decision is missing")
	}
	question, err := authzen.DecodeEvaluation(d.Question)
	if err != nil {
		return err
	}
	got, err := e.Decide(ctx, question)
	if err != nil {
		return err
	}
	want, err := canonical(d.Answer())
	if err != nil {
		return err
	}
	have, err := canonical(answerOf(got))
	if err != nil {
		return err
	}
	if have != want {
		return fmt.Errorf("expected %s, got %s", want, have)
	}
	return nil
}

// Answer returns the golden answer as AuthZEN encodes it: without empty lists and without an empty context.
func (d *GoldenDecision) Answer() authzen.Response {
	return response(*d.Decision, d.Context, d.Reasons, d.Obligations, d.Advice)
}

func answerOf(d pdp.Decision) authzen.Response {
	obligations := make([]any, len(d.Obligations))
	for i, o := range d.Obligations {
		obligations[i] = o
	}
	return response(d.Allow, d.Context, d.Reasons, obligations, d.Advice)
}

func response(decision bool, context map[string]any, reasons, obligations, advice []any) authzen.Response {
	r := authzen.Response{Decision: decision, Context: map[string]any{}}
	maps.Copy(r.Context, context)
	for name, list := range map[string][]any{"reasons": reasons, "obligations": obligations, "advice": advice} {
		if len(list) > 0 {
			r.Context[name] = list
		}
	}
	return r
}

// canonical returns an answer as JSON, with the members of objects in order.
func canonical(r authzen.Response) (string, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	var value any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return "", err
	}
	data, err = json.Marshal(value)
	return string(data), err
}

func engine(p *pdp.Policy, source facts.Source) *pdp.Engine {
	// The timeout is longer than a server's: a machine that stalls for a moment is not the policy's fault.
	return pdp.New(pdp.Config{Policy: p, Source: source, Timeout: 10 * time.Second, Logger: slog.New(slog.DiscardHandler)})
}

// fixedSource is a source whose directory never changes.
type fixedSource struct{ view facts.View }

func (s fixedSource) View(context.Context, facts.Requirement) (facts.View, error) { return s.view, nil }
