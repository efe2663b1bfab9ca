package pdp_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
)

// switching is a source during whose first view another policy is activated.
type switching struct {
	view     facts.View
	activate func()
	required []facts.Requirement
}

func (s *switching) View(_ context.Context, r facts.Requirement) (facts.View, error) {
	if s.required = append(s.required, r); len(s.required) == 1 {
		s.activate()
	}
	return s.view, nil
}

// A policy that is activated while a question is answered decides by facts that are fresh enough for it, whatever the policy
// before it required.
func TestPolicyActivatedDuringAViewGetsFreshFacts(t *testing.T) {
	t.Parallel()
	d, err := directory.Parse([]byte(clinics), vocabulary())
	require.NoError(t, err)
	revision, err := pdp.Prepare(t.Context(), open(t, overlay(t, nil), "authz/decision"))
	require.NoError(t, err)
	source := &switching{view: d}
	engine := withSource(t, source)
	source.activate = func() { engine.Activate(revision) }
	_, err = engine.Decide(t.Context(), ask("boss", "user.view", "user", "mia", "", "mercy", nil))
	require.NoError(t, err)
	require.Equal(t, []facts.Requirement{{ReadOnly: true}, {}}, source.required)
	source.required = nil
	source.activate = func() {}
	_, err = engine.Decide(t.Context(), ask("boss", "user.view", "user", "mia", "", "mercy", nil))
	require.NoError(t, err)
	require.Equal(t, []facts.Requirement{{ReadOnly: true}}, source.required, "the policy stayed")
}
