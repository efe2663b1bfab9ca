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
