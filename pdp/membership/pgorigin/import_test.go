package pgorigin

import (
	"context"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

func postgresImport(t *testing.T, server *servertest.Postgres) {
	ctx := context.Background()
	d := origintest.ParseDirectory(t, string(fixture.GenerateDocument(1500, record.JSON)))
	p, _ := filledOrigin(t, server, d)
	assertSameFacts(t, d, readDirectory(t, p))
	h := watch(t, p)
	h.heartbeatSince(time.Now())
	before := snapshot(t, p)
	last, calls, all := 0, 0, 2*(d.LocationCount()+d.UserCount())
	require.NoError(t, Import(ctx, Target{URL: p.listenAt.url}, d, func(done, total int) {
		assert.GreaterOrEqual(t, done, last)
		assert.Equal(t, all, total)
		last = done
		calls++
	}))
	assert.Equal(t, all, last)
	assert.Greater(t, calls, 3)
	assert.Equal(t, before, snapshot(t, p), "what is the same keeps its version")

	// Only one user is changed.
	changed := regexp.MustCompile(`"id": ?"u77", ?"username": ?"`).ReplaceAllString(string(fixture.GenerateDocument(1500, record.JSON)), "${0}other.")
	require.NoError(t, Import(ctx, Target{URL: p.listenAt.url}, origintest.ParseDirectory(t, changed), nil))
	after := snapshot(t, p)
	assert.Equal(t, []string{"u77"}, changedIDs(t, before.users, after.users))
	delete(before.users, "u77")
	delete(after.users, "u77")
	assert.Equal(t, before, after)
	h.heartbeatSince(time.Now())
	require.NotEmpty(t, h.changes())
	for _, c := range h.changes() {
		assert.Equal(t, "u77", c.ID)
	}
}

// An import can replace any directory with any other. Records in both must keep their versions.
func postgresImportBetween(t *testing.T, server *servertest.Postgres) {
	ctx := context.Background()
	swapped := func(a, b string) *directory.Directory {
		return origintest.ParseDirectory(t, fixture.WithUsers(`{"id": "x", "username": "`+a+`"}, {"id": "y", "username": "`+b+`"}`))
	}
	p, _ := filledOrigin(t, server, origintest.MixedDirectory(t, 1, 0))
	for i, d := range []*directory.Directory{
		origintest.MixedDirectory(t, 11, 80), origintest.MixedDirectory(t, 12, 80), origintest.MixedDirectory(t, 12, 120), swapped("one", "two"), swapped("two", "ONE"), swapped("TWO", "One"),
		origintest.ParseDirectory(t, string(fixture.GenerateDocument(30, record.JSON))), origintest.ParseDirectory(t, `{"locations": [], "users": []}`), origintest.MixedDirectory(t, 11, 80),
		origintest.ParseDirectory(t, fixture.WithUsers(`{"id": "odd\\N", "username": "\\N", "name": {"given": "\\.", "family": "a\tb\nc\rd\\"}}`)),
	} {
		before := snapshot(t, p)
		err := Import(ctx, Target{URL: p.listenAt.url}, d, nil)
		require.NoError(t, err, i)
		assertSameFacts(t, d, readDirectory(t, p))
		after := snapshot(t, p)
		changedIDs(t, before.users, after.users)
		changedIDs(t, before.trees, after.trees)
		for id, u := range after.users {
			if was, ok := before.users[id]; ok && string(was.Record) == string(u.Record) {
				assert.Equal(t, was.Version, u.Version, id)
			}
		}
	}
}

func postgresImportRefused(t *testing.T, server *servertest.Postgres) {
	ctx := context.Background()
	d := origintest.MixedDirectory(t, 13, 20)
	p, conn := filledOrigin(t, server, d)
	err := Import(ctx, Target{URL: p.listenAt.url},
		origintest.ParseDirectory(t, fixture.WithUsers(`{"id": "first"}, {"id": "second", "name": {"given": "a\u0000b"}}`)), nil)
	require.EqualError(t, err, `user "second": a text contains NUL, which PostgreSQL cannot store`)
	assertSameFacts(t, d, readDirectory(t, p))

	empty := server.Database()
	err = Import(ctx, Target{URL: empty}, d, nil)
	require.ErrorContains(t, err, "42P01", "no tables, and none are to be created")

	servertest.Exec(t, conn, `ALTER TABLE users ADD CONSTRAINT nobody_of_that_name CHECK (family <> 'Unwanted')`)
	err = Import(ctx, Target{URL: p.listenAt.url}, origintest.ParseDirectory(t, fixture.WithUsers(`{"id": "first", "name": {"family": "Unwanted"}}`)), nil)
	require.ErrorContains(t, err, "nobody_of_that_name")
	assert.NotContains(t, err.Error(), "Unwanted")
	assertSameFacts(t, d, readDirectory(t, p))
}
