package pdp_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// The hits must be the users to whom the same question is allowed; without a current location, from at least one
// location where they can stand.
func TestSubjectSearchEqualsBruteForce(t *testing.T) {
	found := map[string]int{}
	i := 0
	forEachQuestion(t, 16, 60, func(t require.TestingT, e *pdp.Engine, w *world, r pdp.Request) {
		r.Context = maps.Clone(r.Context)
		if i++; i%2 == 0 {
			delete(r.Context, "current_location")
		}
		result, err := e.SearchSubjects(context.Background(), searchOf(r, whole))
		require.NoError(t, err)
		require.Equal(t, subjectsFoundBy(t, e, w, r), sortedIDs(result.Hits))
		found[r.Action.Name] += len(result.Hits)
	})
	if fewerQuestions() {
		return
	}
	for _, action := range allActions() {
		if action != "user.delete" {
			assert.NotZero(t, found[action], "no search for %s found anybody", action)
		}
	}
}

func subjectsFoundBy(t require.TestingT, e *pdp.Engine, w *world, r pdp.Request) []string {
	ids := []string{}
	current := r.Context["current_location"]
	given := current != nil && current != "" || needsNoCurrentLocation(r.Action.Name)
	if r.Subject.Type != "user" {
		return ids
	}
	for _, u := range w.Users {
		r.Subject.ID = u.ID
		may := given && decide(t, e, r).Allow
		if !given {
			for _, at := range w.standings(u) {
				there := r
				there.Context = with(r.Context, map[string]any{"current_location": at.ID})
				if may = decide(t, e, there).Allow; may {
					break
				}
			}
		}
		if may {
			ids = append(ids, u.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func TestSubjectSearchIgnoresTheSubjectsID(t *testing.T) {
	forEachQuestion(t, 3, 20, func(t require.TestingT, e *pdp.Engine, w *world, r pdp.Request) {
		with, err := e.SearchSubjects(context.Background(), searchOf(r, whole))
		require.NoError(t, err)
		r.Subject.ID = ""
		without, err := e.SearchSubjects(context.Background(), searchOf(r, whole))
		require.NoError(t, err)
		require.Equal(t, without, with)
	})
}
