package pdp_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// counting is a view that counts the users that are looked up.
type counting struct {
	facts.View
	users *atomic.Int64
}

func (c counting) User(ctx context.Context, id string) (*facts.User, error) {
	c.users.Add(1)
	return c.View.User(ctx, id)
}

func TestHitsThatFollowHitsAreDecidedOnce(t *testing.T) {
	t.Parallel()
	const users = 50
	var looked atomic.Int64
	e := withSource(t, fixed{counting{manyUsers(t, users), &looked}})
	result, err := e.SearchResources(t.Context(), pdp.SearchRequest{
		Subject: authzen.Entity{Type: "user", ID: "regina"}, Action: authzen.Action{Name: "user.edit"},
		Resource: authzen.Entity{Type: "user"}, Context: map[string]any{"current_location": "metro"},
	})
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(result.Hits), users)
	require.Less(t, looked.Load(), int64(2*users+20), "a question looks up two users, and each user is asked about once")
}

// quarantining is a view in whose lists some users are suspended, and whose queries find few users each.
type quarantining struct {
	facts.View
	suspended map[string]bool
}

func (v quarantining) Users(ctx context.Context, q facts.UserQuery) (facts.Users, error) {
	q.Limit = min(q.Limit, 3)
	found, err := v.View.Users(ctx, q)
	out := facts.Users{More: found.More, Next: found.Next}
	for i, u := range found.Users {
		if v.suspended[u.ID()] {
			out.Suspended = append(out.Suspended, facts.SuspendedUser{ID: u.ID(), Before: len(out.Users)})
			continue
		}
		out.Users, out.Cursors = append(out.Users, u), append(out.Cursors, found.Cursors[i])
	}
	return out, err
}

// A user in quarantine costs a list that user, who is named once, on the page where the user would be.
func TestUsersInQuarantineAreNamed(t *testing.T) {
	t.Parallel()
	w := generate(12)
	self := admin(w)
	r := searchOf(ask(self, "user.view", "user", "", "", "r0", nil), whole)
	all := names(search(t, over(t, w).SearchResources, r).Hits)
	suspended := map[string]bool{}
	var rest, gone []string
	for i, id := range all {
		if suspended[id] = id != self && (i < 2 || i%4 < 2 || i == len(all)-1); suspended[id] {
			gone = append(gone, id)
		} else {
			rest = append(rest, id)
		}
	}
	require.GreaterOrEqual(t, len(rest), 3)
	engine := withSource(t, fixed{quarantining{w.directory(t), suspended}})
	for limit := 1; limit <= len(all)+1; limit++ {
		var listed, named []string
		for page := (&authzen.Page{Limit: new(limit)}); page != nil; {
			r.Page = page
			result := search(t, engine.SearchResources, r)
			require.Nil(t, result.Page.Total)
			listed, named = append(listed, names(result.Hits)...), append(named, result.Page.Incomplete...)
			if page = nil; result.Page.NextToken != "" {
				page = &authzen.Page{Token: result.Page.NextToken}
			}
		}
		require.Equal(t, rest, listed, limit)
		require.Equal(t, gone, named, limit)
	}
	r.Page = nil
	require.Equal(t, gone, search(t, engine.SearchResources, r).Page.Incomplete, "also if no page is asked for")
}

// circling is a source that lists the same users again and again.
type circling struct{ facts.View }

func (v circling) Users(ctx context.Context, q facts.UserQuery) (facts.Users, error) {
	q.After = facts.Cursor{}
	found, err := v.View.Users(ctx, q)
	found.More = true
	return found, err
}

func TestSourceThatRepeatsAListIsRefused(t *testing.T) {
	t.Parallel()
	w := generate(12)
	_, err := withSource(t, fixed{circling{w.directory(t)}}).SearchResources(t.Context(),
		searchOf(ask(admin(w), "user.view", "user", "", "", "r0", nil), whole))
	require.Equal(t, pdp.Unavailable, pdp.KindOf(err))
	require.ErrorContains(t, err, "again and again")
}
