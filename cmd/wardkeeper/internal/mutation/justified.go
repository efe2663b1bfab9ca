package mutation

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
)

// Justification says why nothing needs to notice a mutant: it decides the same as the policy, or is not tested on purpose.
type Justification struct {
	File   string `yaml:"file"`
	At     string `yaml:"at"`
	Change string `yaml:"change"`
	Times  int    `yaml:"times"` // how many survivors of the rule or cell have this change; 0 means 1
	Reason string `yaml:"reason"`

	line int // where it begins
}

func (j *Justification) isAbout(s *Survivor) bool {
	return s.File == j.File && s.At == j.At && s.Change == j.Change
}

// ReadJustifications reads a list of justifications in YAML. Unknown members, and a justification without a part, are errors.
func ReadJustifications(data []byte) ([]Justification, error) {
	var all []Justification
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&all); err != nil && len(bytes.TrimSpace(data)) > 0 {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	var nodes []yaml.Node
	if err := yaml.Unmarshal(data, &nodes); err != nil {
		return nil, err
	}
	for i := range all {
		j := &all[i]
		j.line = nodes[i].Line
		if j.File == "" || j.At == "" || j.Change == "" || strings.TrimSpace(j.Reason) == "" || j.Times < 0 {
			return nil, fmt.Errorf("line %d: give file, at, change and reason", j.line)
		}
	}
	return all, nil
}

// Stale returns an error about each justification that is not about as many survivors as it says. Those of files that were not tried
// are left out.
func (r *Result) Stale(cfg Config) error {
	var faults []error
	for _, j := range cfg.Justified {
		if !strings.HasPrefix(j.File, cfg.Only) {
			continue
		}
		found := 0
		for i := range r.Survivors {
			if j.isAbout(&r.Survivors[i]) {
				found++
			}
		}
		switch what := fmt.Sprintf("%s: %s: %s", j.File, j.At, j.Change); {
		case found == 0:
			faults = append(faults, fmt.Errorf("line %d: there is no such survivor: %s: remove the justification", j.line, what))
		case found != max(j.Times, 1):
			faults = append(faults, fmt.Errorf("line %d: %s like this, not %d: %s: look at each, and correct \"times\"", j.line, terminal.Count(found, "survivor"), max(j.Times, 1), what))
		}
	}
	return errors.Join(faults...)
}

// Unjustified returns the survivors without a justification.
func (r *Result) Unjustified() []Survivor {
	left := []Survivor{}
	for _, s := range r.Survivors {
		if s.Justified == "" {
			left = append(left, s)
		}
	}
	return left
}

// Killed returns how many mutants something noticed.
func (r *Result) Killed() int { return r.KilledLoading + r.KilledGolden + r.KilledTests }

// Score returns the percentage that something noticed of the mutants that need to be noticed. It is 100 if there are none.
func (r *Result) Score() float64 {
	need := r.Killed() + len(r.Unjustified())
	if need == 0 {
		return 100
	}
	return 100 * float64(r.Killed()) / float64(need)
}
