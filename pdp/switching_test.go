package pdp_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
)

// switching is a source that activates another policy during its first view.
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

// If a policy is activated while a question is being answered, it decides with facts that are fresh enough for it,
// whatever the previous policy required.
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
