package pdp_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// In decisions and lists: it once was the current location.
func TestLocationOfTheWrongTypeIsUnknown(t *testing.T) {
	e := regressions(t)
	for _, wrong := range []any{json.Number("5"), true, false, []any{}, []any{"metro"}, map[string]any{}, map[string]any{"id": "metro"}} {
		at := ask("regina", "user.view", "user", "ed", "", "", nil)
		at.Context = map[string]any{"current_location": wrong}
		place := ask("regina", "user.view", "user", "ed", "", "metro", nil)
		place.Resource.Properties = map[string]any{"location": wrong}
		require.Equal(t, []string{"ALL-3/unknown_location"}, codes(decide(t, e, at)), "%v", wrong)
		require.Equal(t, []string{"ALL-4/unknown_location"}, codes(decide(t, e, place)), "%v", wrong)
		for _, q := range []pdp.Request{at, place} {
			for name, find := range map[string]find{"subjects": e.SearchSubjects, "resources": e.SearchResources, "actions": e.SearchActions} {
				found, err := find(t.Context(), searchOf(q, nil))
				require.NoError(t, err)
				require.Empty(t, found.Hits, "%s: %v", name, wrong)
			}
		}
		// Where none is needed, a given one is ignored.
		nowhere := ask("regina", "location.switch", "location", "metro", "", "", nil)
		nowhere.Context = map[string]any{"current_location": wrong}
		require.True(t, decide(t, e, nowhere).Allow, "%v", wrong)
	}
	for _, nothing := range []any{nil, ""} {
		r := ask("regina", "user.view", "user", "ed", "", "", nil)
		r.Context = map[string]any{"current_location": nothing}
		r.Resource.Properties = map[string]any{"location": nothing}
		require.True(t, decide(t, e, r).Allow)
	}
}

// An account whose id is to be a username once did not exist.
func TestUsernameEqualToAnIDIsTaken(t *testing.T) {
	e := regressions(t)
	invite := func(id, username string) []string {
		return codes(decide(t, e, ask("nora", "user.invite", "user", id, "", "mercy", map[string]any{"new": true, "username": username})))
	}
	require.Empty(t, invite("newcomer", "new@example.org"))
	require.Equal(t, []string{"SYS-2/existing_user"}, invite("newcomer", "lucy"))
	require.Equal(t, []string{"SYS-2/existing_user"}, invite("newcomer", "olga"), "of another organization")
	require.Equal(t, []string{"SYS-2/existing_user"}, invite("peter@example.org", "new@example.org"))
	require.Equal(t, []string{"SYS-2/field_not_allowed"}, invite("newcomer", " lucy"))
}
