// Package proof holds a policy against what it is known to have to say.
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
)

// Bounds of the golden decisions of a bundle.
const (
	maxDecisions = 20_000
	maxReported  = 5
)

// Golden are decisions that have to come out the same, with the directories that they are made over. A bundle brings
// them as golden/data.json or golden/data.yaml.
type Golden struct {
	Directories map[string]json.RawMessage `json:"directories,omitempty"`
	Decisions   []GoldenDecision           `json:"decisions"`
}

// GoldenDecision is one question and the whole answer to it: a list that is absent has to be absent.
type GoldenDecision struct {
	Name        string          `json:"name"`
	Directory   string          `json:"directory,omitempty"` // of Directories; "" where the policy judges without one
	Question    json.RawMessage `json:"question"`            // an AuthZEN evaluation
	Decision    *bool           `json:"decision"`
	Reasons     []any           `json:"reasons,omitempty"`
	Obligations []any           `json:"obligations,omitempty"`
	Advice      []any           `json:"advice,omitempty"`
	Context     map[string]any  `json:"context,omitempty"` // whatever else the answer says
}

// DecodeGolden reads golden decisions strictly.
func DecodeGolden(data []byte) (*Golden, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var g Golden
	if err := decoder.Decode(&g); err != nil {
		return nil, fmt.Errorf("the golden decisions cannot be read: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("the golden decisions cannot be read: something follows them")
	}
	if g.Decisions == nil { // nothing would be proven by what is misspelt or empty
		return nil, errors.New("there are no golden decisions: write a list of decisions")
	}
	if len(g.Decisions) > maxDecisions {
		return nil, fmt.Errorf("there are more than %d golden decisions", maxDecisions)
	}
	return &g, nil
}

// OpenDirectory makes a directory of its JSON, by what a policy lets it say.
type OpenDirectory func(data []byte, v pdp.Vocabulary) (pdp.View, error)

// Check decides every golden decision under a policy. The error names those that come out otherwise, the first few in
// full; a directory that the policy's tables do not let be is one, too.
func (g *Golden) Check(ctx context.Context, p *pdp.Policy, open OpenDirectory) error {
	engines := map[string]*pdp.Engine{"": engine(p, nil)}
	for _, name := range slices.Sorted(maps.Keys(g.Directories)) {
		if p.Vocabulary() == nil {
			return fmt.Errorf("golden decisions are made over the directory %s, and the policy knows none", name)
		}
		view, err := open(g.Directories[name], *p.Vocabulary())
		if err != nil {
			return fmt.Errorf("the directory %s of the golden decisions: %w", name, err)
		}
		engines[name] = engine(p, still{view})
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
	}
	if wrong > maxReported {
		faults = append(faults, fmt.Errorf("and %d more of %d golden decisions", wrong-maxReported, len(g.Decisions)))
	}
	return errors.Join(faults...)
}

func (d *GoldenDecision) check(ctx context.Context, e *pdp.Engine) error {
	if d.Decision == nil {
		return errors.New("it does not say the decision")
	}
	question, err := authzen.DecodeEvaluation(d.Question)
	if err != nil {
		return err
	}
	got, err := e.Decide(ctx, question)
	if err != nil {
		return err
	}
	wanted, err := plain(d.Answer())
	if err != nil {
		return err
	}
	said, err := plain(answer(got))
	if err != nil {
		return err
	}
	if wanted != said {
		return fmt.Errorf("has to be %s, and is %s", wanted, said)
	}
	return nil
}

// Answer is the answer as AuthZEN words it: a list with nothing in it is left out, and so is a context.
func (d *GoldenDecision) Answer() authzen.Response {
	return response(*d.Decision, d.Context, d.Reasons, d.Obligations, d.Advice)
}

func answer(d pdp.Decision) authzen.Response {
	obligations := make([]any, len(d.Obligations))
	for i, o := range d.Obligations {
		obligations[i] = o
	}
	return response(d.Allow, d.Context, d.Reasons, obligations, d.Advice)
}

func response(decision bool, more map[string]any, reasons, obligations, advice []any) authzen.Response {
	r := authzen.Response{Decision: decision, Context: map[string]any{}}
	maps.Copy(r.Context, more)
	for name, list := range map[string][]any{"reasons": reasons, "obligations": obligations, "advice": advice} {
		if len(list) > 0 {
			r.Context[name] = list
		}
	}
	return r
}

// plain is a value as JSON, with the members of objects in order.
func plain(r authzen.Response) (string, error) {
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

func engine(p *pdp.Policy, source pdp.Source) *pdp.Engine {
	// More time than a server gives: a machine that stands still for a moment is no fault of the policy.
	return pdp.New(pdp.Config{Policy: p, Source: source, Timeout: 10 * time.Second, Logger: slog.New(slog.DiscardHandler)})
}

// still is a source whose directory stays as it is.
type still struct{ view pdp.View }

func (s still) View(context.Context, pdp.Need) (pdp.View, error) { return s.view, nil }
