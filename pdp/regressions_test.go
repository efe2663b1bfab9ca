package pdp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
)

// The tests in this file reproduce faults that were found by trying to break the engine.

func regressions(t *testing.T) *pdp.Engine {
	t.Helper()
	data, err := os.ReadFile("../testdata/directories/regressions.yaml")
	require.NoError(t, err)
	dir, err := directory.Parse(data, vocabulary())
	require.NoError(t, err)
	return withSource(t, fixed{dir})
}

func codes(d pdp.Decision) []string {
	var all []string
	for _, reason := range d.Reasons {
		r := reason.(map[string]any)
		all = append(all, fmt.Sprint(r["rule"], "/", r["code"]))
	}
	return all
}

// The locations of a grant were once not checked against ALL-4.
func TestGrantInAnotherOrganizationIsDenied(t *testing.T) {
	e := regressions(t)
	for _, elsewhere := range []any{"oak", "valley", "smile-a"} {
		d := decide(t, e, ask("helen", "admin.grant", "user", "lucy", "", "sisters",
			map[string]any{"role": "entity_admin", "locations": []any{"mercy", elsewhere}}))
		require.False(t, d.Allow)
		require.Equal(t, []string{"ALL-4/other_organization"}, codes(d))
	}
}

// Locations among the action's properties were once used as facts for a list of patients.
func TestUnknownPropertyAddsNoFacts(t *testing.T) {
	e := regressions(t)
	r := ask("regina", "patient.view", "patient", "p1", "", "metro", map[string]any{"locations": []any{"abc"}, "system": "abc"})
	r.Resource.Properties = map[string]any{"locations": []any{"abc", 5.0}}
	require.Equal(t, []string{"REG-21/no_patient_access"}, codes(decide(t, e, r)))
	many := make([]any, 1001)
	for i := range many {
		many[i] = "abc"
	}
	require.True(t, decide(t, e, ask("regina", "user.view", "user", "ed", "", "metro", map[string]any{"locations": many})).Allow)
}

// An object with the right values was once accepted as a list.
func TestSupportedObligationsMustBeAList(t *testing.T) {
	e := regressions(t)
	for _, supported := range []any{map[string]any{"a": "custom"}, "custom", 1.0, true, []any{}, []any{"notification"}, []any{"custom", 1.0}, []any{"custom", nil}} {
		r := ask("regina", "user.edit", "user", "ed", "", "metro", nil)
		r.Context["supported_obligations"] = supported
		require.Equal(t, []string{"ALL-13/obligation_unsupported"}, codes(decide(t, e, r)), "%v", supported)
	}
}

// A caller who knew the e-mail address of an account could once learn its status.
func TestInvitationByUsernameDoesNotRevealStatus(t *testing.T) {
	e := regressions(t)
	for _, action := range []string{"invitation.accept", "invitation.reject"} {
		d := decide(t, e, ask("stranger", action, "user", "peter@example.org", "smile", "", nil))
		require.Equal(t, []string{"PRA-6/not_invited"}, codes(d))
	}
}

// An account found by its username was once not recognized as having that username.
func TestUsernamesAreFoldedInAnyScript(t *testing.T) {
	e := regressions(t)
	for _, confirmation := range []string{"οδυσσευς@example.org", "ΟΔΥΣΣΕΥΣ@EXAMPLE.ORG", "οδυσσευσ@example.org"} {
		d := decide(t, e, ask("olga", "user.invite", "user", "οδυσσευς@example.org", "", "smile", map[string]any{
			"role": "administrator", "profession": "clerk", "level": "full", "locations": []any{"smile-a"},
			"username": "οδυσσευς@example.org", "username_confirmation": confirmation,
		}))
		require.True(t, d.Allow, "%v", codes(d))
	}
}

// Usernames that the directory distinguishes were once accepted as a confirmation, and usernames that it does not
// distinguish were rejected.
func TestUsernameConfirmationIsFolded(t *testing.T) {
	t.Parallel()
	e := regressions(t)
	for _, c := range []struct {
		username, confirmation string
		agree                  bool
	}{
		{"ı@example.org", "i@example.org", false}, {"İ@example.org", "i@example.org", false},
		{"straße@example.org", "STRASSE@example.org", true}, {"ﬁ@example.org", "FI@example.org", true},
		{"new@example.org", "NEW@Example.org", true}, {"new@example.org", "now@example.org", false},
	} {
		d := decide(t, e, ask("olga", "user.invite", "user", "new", "", "smile", map[string]any{
			"new": true, "password_supplied": true, "name": map[string]any{"given": "A", "family": "B"},
			"role": "administrator", "profession": "clerk", "level": "full", "locations": []any{"smile-a"},
			"username": c.username, "username_confirmation": c.confirmation,
		}))
		require.Equal(t, c.agree, d.Allow, "%v %v", c, codes(d))
		if !c.agree {
			require.Equal(t, []string{"PRA-3/username_mismatch"}, codes(d))
		}
	}
}

// For instance, a grant with no role left to give, or a revoke that names its places.
func TestActionSearchOmitsImpossibleActions(t *testing.T) {
	e := regressions(t)
	offers := func(subject, user, from string) []string {
		found, err := e.SearchActions(context.Background(), pdp.SearchRequest{
			Subject: authzen.Entity{Type: "user", ID: subject}, Resource: authzen.Entity{Type: "user", ID: user},
			Context: map[string]any{"current_location": from},
		})
		require.NoError(t, err)
		var names []string
		for _, hit := range found.Hits {
			names = append(names, hit.Name)
		}
		return names
	}
	require.Contains(t, offers("helen", "nora", "sisters"), "admin.revoke")
	require.NotContains(t, offers("helen", "stranger", "sisters"), "admin.revoke")
	require.Contains(t, offers("nora", "lucy", "mercy"), "admin.grant")
	require.NotContains(t, offers("nora", "lucy", "mercy"), "admin.revoke")
}

// A batch once continued long after its caller had disconnected.
func TestBatchEndsWithItsContext(t *testing.T) {
	e := regressions(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	items := make([]pdp.Item, 1000)
	for i := range items {
		items[i].Request = ask("regina", "user.edit", "user", "ed", "", "metro", nil)
	}
	outcomes, err := e.DecideAll(ctx, items, authzen.ExecuteAll)
	if err != nil {
		require.Equal(t, pdp.Timeout, pdp.KindOf(err))
		return
	}
	require.Len(t, outcomes, len(items))
	for _, outcome := range outcomes {
		require.Error(t, outcome.Err)
		require.False(t, outcome.Decision.Allow)
	}
}

// manyUsers returns a directory with many users, few of whom are hits.
func manyUsers(t testing.TB, users int) *directory.Directory {
	t.Helper()
	data := []byte(`{"locations":[{"id":"metro","kind":"region","model":"regional"},{"id":"north","kind":"division","parent":"metro"},
{"id":"abc","kind":"facility","parent":"north"}],"users":[{"id":"regina","default_location":"metro","assignments":[{"location":"metro","role":"regional_admin"}]}`)
	for i := range users {
		data = fmt.Appendf(data, `,{"id":"u%06d","default_location":"abc","assignments":[{"location":"abc","role":"ed_normal"}]}`, i)
	}
	dir, err := directory.Parse(append(data, "]}"...), vocabulary())
	require.NoError(t, err)
	return dir
}

// nearDeadline is a context whose deadline has passed but that never ends.
type nearDeadline struct{ context.Context }

func (nearDeadline) Deadline() (time.Time, bool) { return time.Now(), true }

// A list with rare hits once always timed out. A page that ends early must continue with its token, and the pages must
// make up the list.
func TestPageEndsBeforeTheTimeout(t *testing.T) {
	e := withSource(t, fixed{manyUsers(t, 20)})
	r := pdp.SearchRequest{
		Subject: authzen.Entity{Type: "user", ID: "regina"}, Action: authzen.Action{Name: "user.deactivate"},
		Resource: authzen.Entity{Type: "user"}, Context: map[string]any{"current_location": "metro"}, Page: &authzen.Page{Limit: new(3)},
	}
	all, err := e.SearchResources(context.Background(), pdp.SearchRequest{
		Subject: r.Subject, Action: r.Action, Resource: r.Resource, Context: r.Context,
	})
	require.NoError(t, err)
	require.Len(t, all.Hits, 20)
	var hits []pdp.Hit
	early := 0
	for {
		found, err := e.SearchResources(nearDeadline{context.Background()}, r)
		require.NoError(t, err)
		hits = append(hits, found.Hits...)
		if found.Page.NextToken == "" {
			break
		}
		if found.Page.Count < 3 {
			early++ // at regina herself, whom she may not reactivate
		}
		r.Page = &authzen.Page{Token: found.Page.NextToken}
	}
	require.Equal(t, all.Hits, hits)
	require.Equal(t, 1, early)

	// A page by number never ends early: the next page could not know where to continue.
	hits = nil
	for n := 1; n <= 7; n++ {
		r.Page = &authzen.Page{Limit: new(3), Properties: map[string]any{"page": json.Number(strconv.Itoa(n))}}
		found, err := e.SearchResources(nearDeadline{context.Background()}, r)
		require.NoError(t, err)
		hits = append(hits, found.Hits...)
	}
	require.Equal(t, all.Hits, hits)
}

// A search once made the process keep the facts of all users.
func TestSearchesDoNotKeepFacts(t *testing.T) {
	users := 5000
	if fewerQuestions() {
		users = 1000
	}
	dir := manyUsers(t, users)
	e := withSource(t, fixed{dir})
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	_, err := dir.Users(context.Background(), facts.UserQuery{Limit: 1}) // the sorted list is cached on purpose
	require.NoError(t, err)
	before := heap()
	_, err = e.SearchResources(context.Background(), pdp.SearchRequest{
		Subject: authzen.Entity{Type: "user", ID: "regina"}, Action: authzen.Action{Name: "user.reactivate"},
		Resource: authzen.Entity{Type: "user"}, Context: map[string]any{"current_location": "metro"},
	})
	require.NoError(t, err)
	// Other tests' evaluations that cannot be stopped may still hold memory for a while. Facts that are kept would stay.
	require.Eventually(t, func() bool { return heap()-before < int64(users)*500 }, time.Minute, 100*time.Millisecond,
		"a search of %d users keeps more than 500 bytes for each", users)
	runtime.KeepAlive(dir)
}

// A location of the wrong type was once taken for the current location, in decisions and lists.
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
		// If no current location is needed, it is ignored.
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

// An invitation could once use the id of an existing account as a username.
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
