package mutation

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Justification says why nothing needs to notice a mutant: it decides the same as the policy, or is not tested on purpose.
type Justification struct {
	File   string `yaml:"file"`
	At     string `yaml:"at"`
	Change string `yaml:"change"`
	Times  int    `yaml:"times"` // how many survivors of the rule or cell have this change; 0 means 1
	Reason string `yaml:"reason"`
}

// ReadJustifications reads a list of justifications in YAML. Unknown members, and a justification without a part, are errors.
func ReadJustifications(data []byte) ([]Justification, error) {
	var all []Justification
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&all); err != nil && len(bytes.TrimSpace(data)) > 0 {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	for i, j := range all {
		if j.File == "" || j.At == "" || j.Change == "" || strings.TrimSpace(j.Reason) == "" || j.Times < 0 {
			return nil, fmt.Errorf("justification %d: give file, at, change and reason", i+1)
		}
	}
	return all, nil
}

// Justify notes the justifications at the survivors. It fails if one does not match as many survivors as it says. considered
// reports whether the mutants of a file were all tried; nil means that all were.
func (r *Result) Justify(all []Justification, considered func(file string) bool) error {
	var faults []error
	for _, j := range all {
		if considered != nil && !considered(j.File) {
			continue
		}
		found := 0
		for i := range r.Survivors {
			if s := &r.Survivors[i]; s.File == j.File && s.At == j.At && s.Change == j.Change {
				s.Justified = strings.TrimSpace(j.Reason)
				found++
			}
		}
		if want := max(j.Times, 1); found != want {
			faults = append(faults, fmt.Errorf("the justification of %s, %s, %s is about %d survivors, and there are %d", j.File, j.At, j.Change, want, found))
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
