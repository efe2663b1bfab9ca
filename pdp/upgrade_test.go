package pdp_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// An upgraded sidecar must keep working with a bundle whose catalogue has the former names.
func TestFormerNamesInTheCatalogueAreRead(t *testing.T) {
	t.Parallel()
	prepare := func(action string) (*pdp.Policy, error) {
		files := fstest.MapFS{"app.rego": {Data: []byte("package app\n\ndefault decision := false\n\ndefault allow := false\n\n" +
			"default possible := false\n\nscope := \"x\"\n\ncatalogue := {\"see\": " + action + "}\n")}}
		return pdp.Prepare(t.Context(), open(t, files, "app/decision"))
	}
	policy, err := prepare(`{"resource": "doc", "uses": true, "nowhere": true, "anywhere": true}`)
	require.NoError(t, err)
	require.True(t, policy.ReadOnly("see"))
	needsNone, crosses := policy.Exemptions("see")
	require.True(t, needsNone)
	require.True(t, crosses)
	_, err = prepare(`{"resource": "doc", "uses": true, "read_only": false}`)
	require.ErrorContains(t, err, "has both read_only and uses")
}
