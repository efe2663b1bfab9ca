package membership

import (
	"context"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

func postgresImport(t *testing.T, server *servertest.Postgres) {
	ctx := context.Background()
	d := parsed(t, string(generated(1500, JSON)))
	p, _ := filled(t, server, d)
	assertSameFacts(t, d, rebuilt(t, p))
	h := hearing(t, p)
	h.beatSince(h.beaten)
	before := snapshot(t, p)
	last, calls, all := 0, 0, 2*(d.LocationCount()+d.UserCount())
	require.NoError(t, ImportPostgres(ctx, PostgresTarget{URL: p.connect.url}, d, func(done, total int) {
		assert.GreaterOrEqual(t, done, last)
		assert.Equal(t, all, total)
		last = done
		calls++
	}))
	assert.Equal(t, all, last)
	assert.Greater(t, calls, 3)
	assert.Equal(t, before, snapshot(t, p), "what is the same keeps its version")

	// One user is changed, and that is all.
	changed := regexp.MustCompile(`"id": ?"u77", ?"username": ?"`).ReplaceAllString(string(generated(1500, JSON)), "${0}other.")
	require.NoError(t, ImportPostgres(ctx, PostgresTarget{URL: p.connect.url}, parsed(t, changed), nil))
	after := snapshot(t, p)
	assert.Equal(t, []string{"u77"}, moved(t, before.users, after.users))
	delete(before.users, "u77")
	delete(after.users, "u77")
	assert.Equal(t, before, after)
	require.Eventually(t, func() bool { return len(h.told()) > 0 }, patient, 1e6)
	for _, c := range h.told() {
		assert.Equal(t, "u77", c.ID)
	}
}

// From any directory to any other, and what they share keeps its version.
func postgresImportBetween(t *testing.T, server *servertest.Postgres) {
	ctx := context.Background()
	swapped := func(a, b string) *Directory {
		return parsed(t, withUsers(`{"id": "x", "username": "`+a+`"}, {"id": "y", "username": "`+b+`"}`))
	}
	p, _ := filled(t, server, mixed(t, 1, 0))
	for i, d := range []*Directory{
		mixed(t, 11, 80), mixed(t, 12, 80), mixed(t, 12, 120), swapped("one", "two"), swapped("two", "ONE"), swapped("TWO", "One"),
		parsed(t, string(generated(30, JSON))), parsed(t, `{"locations": [], "users": []}`), mixed(t, 11, 80),
		parsed(t, withUsers(`{"id": "odd\\N", "username": "\\N", "name": {"given": "\\.", "family": "a\tb\nc\rd\\"}}`)),
	} {
		before := snapshot(t, p)
		err := ImportPostgres(ctx, PostgresTarget{URL: p.connect.url}, d, nil)
		require.NoError(t, err, i)
		assertSameFacts(t, d, rebuilt(t, p))
		after := snapshot(t, p)
		moved(t, before.users, after.users)
		moved(t, before.trees, after.trees)
		for id, u := range after.users {
			if was, ok := before.users[id]; ok && string(was.Record) == string(u.Record) {
				assert.Equal(t, was.Version, u.Version, id)
			}
		}
	}
}

func postgresImportRefused(t *testing.T, server *servertest.Postgres) {
	ctx := context.Background()
	d := mixed(t, 13, 20)
	p, conn := filled(t, server, d)
	err := ImportPostgres(ctx, PostgresTarget{URL: p.connect.url},
		parsed(t, withUsers(`{"id": "first"}, {"id": "second", "name": {"given": "a\u0000b"}}`)), nil)
	require.EqualError(t, err, `user "second": a text has a character NUL, which PostgreSQL does not keep`)
	assertSameFacts(t, d, rebuilt(t, p))

	empty := server.Database()
	err = ImportPostgres(ctx, PostgresTarget{URL: empty}, d, nil)
	require.ErrorContains(t, err, "42P01", "no tables, and none are to be created")

	do(t, conn, `ALTER TABLE users ADD CONSTRAINT nobody_of_that_name CHECK (family <> 'Unwanted')`)
	err = ImportPostgres(ctx, PostgresTarget{URL: p.connect.url}, parsed(t, withUsers(`{"id": "first", "name": {"family": "Unwanted"}}`)), nil)
	require.ErrorContains(t, err, "nobody_of_that_name")
	assert.NotContains(t, err.Error(), "Unwanted")
	assertSameFacts(t, d, rebuilt(t, p))
}
