package pgorigin

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

func allUsers(t *testing.T, s membership.Snapshot) (all []string) {
	t.Helper()
	require.NoError(t, s.AllUsers(t.Context(), func(raw membership.RawRecord) error {
		all = append(all, string(raw.Record))
		return nil
	}))
	slices.Sort(all)
	return all
}

func TestSnapshotIsOfOneMoment(t *testing.T) {
	server := servertest.StartPostgres(t)
	p, conn := filledOrigin(t, server, origintest.MixedDirectory(t, 2, 300))
	s, err := p.Snapshot(t.Context())
	require.NoError(t, err)
	closed := sync.OnceValue(s.Close)
	defer func() { _ = closed() }()
	servertest.Exec(t, conn, "UPDATE users SET status = 'deactivated', default_location = NULL; UPDATE locations SET name = 'new'; DELETE FROM assignments")

	assert.WithinDuration(t, time.Now(), s.AsOf(), time.Hour)
	before := allUsers(t, s)
	require.Len(t, before, 300)
	one, err := s.User(t.Context(), record.IDOf(membership.RawRecord{Record: []byte(before[0])}))
	require.NoError(t, err)
	assert.Equal(t, before[0], string(one.Record))
	page, err := s.Users(t.Context(), facts.UserQuery{Limit: 1000})
	require.NoError(t, err)
	var listed []string
	for _, raw := range page.Users {
		listed = append(listed, string(raw.Record))
	}
	slices.Sort(listed)
	assert.Equal(t, before, listed)
	ids, err := s.Locations(t.Context(), "", 1)
	require.NoError(t, err)
	tree, err := s.Organization(t.Context(), ids[0])
	require.NoError(t, err)
	assert.NotContains(t, string(tree.Record), `"new"`)

	enough := errors.New("enough")
	require.ErrorIs(t, s.AllUsers(t.Context(), func(membership.RawRecord) error { return enough }), enough)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, pdp.Unavailable, pdp.KindOf(s.AllUsers(canceled, func(membership.RawRecord) error { return nil })))

	require.NoError(t, closed())
	assert.Zero(t, p.Pool().Used)
	s, err = p.Snapshot(t.Context())
	require.NoError(t, err)
	assert.NotEqual(t, before, allUsers(t, s))
	require.NoError(t, s.Close())
}

// What a standby has is as old as what it has replayed, whatever its clock says.
func TestSnapshotOfAStandbyIsAsOldAsItsData(t *testing.T) {
	primary := servertest.StartPostgres(t)
	p, conn := filledOrigin(t, primary, origintest.ParseDirectory(t, fixture.WithUsers(administrator)))
	standby := primary.Standby()
	behind := openOrigin(t, Config{URL: standby.Of(p.listenAt.url)})
	servertest.Exec(t, conn, deactivate)
	require.Eventually(t, func() bool {
		found, err := behind.User(t.Context(), "a")
		return err == nil && strings.Contains(string(found.Record), "deactivated")
	}, fixture.Timeout, time.Millisecond)
	primary.Stop()
	asOf := func() time.Time {
		s, err := behind.Snapshot(t.Context())
		require.NoError(t, err)
		defer func() { require.NoError(t, s.Close()) }()
		return s.AsOf()
	}
	first := asOf()
	assert.Equal(t, first, asOf(), "nothing is replayed any more")
	assert.WithinDuration(t, time.Now(), first, time.Hour)
}
