package cache

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/fleetkey"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/httporigin"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
	"github.com/wardkeeper/wardkeeper/pdp/membership/redisstore"
)

// The attack: somebody who has the token for changes tries to make a user an administrator of a region on every sidecar,
// and to lock others out.
func TestForgedRecordOverRedis(t *testing.T) {
	redis := servertest.StartRedis(t)
	a := origintest.NewApplication(t, origintest.SampleDocument(1, 0).String())
	url := a.Serve().URL
	var sidecars []*Cache
	for range 2 {
		store := sharedStore(t, redisstore.Config{URL: redis.URL()})
		sidecars = append(sidecars, openTestCache(t, Config{Origin: httpOrigin(t, a, url), Announced: true,
			Store: store, Stream: store, MaxAgeChange: time.Hour, MaxAgeUse: time.Hour}))
	}
	awaitConfirmed(t, sidecars...)
	const stranger = "a stranger"
	record := `{"id":"` + stranger + `","username":"s@example.org","default_location":"metro","assignments":[{"location":"metro","role":"regional_admin"}]}`
	admin := strings.ReplaceAll(record, stranger, "anna")
	for _, version := range []uint64{1, pdp.MaxVersion} {
		token, err := sidecars[0].Announce(t.Context(), []pdp.Change{
			{Kind: pdp.UserChanged, ID: stranger, Version: version, Record: []byte(record)},
			{Kind: pdp.UserChanged, ID: "anna", Version: version, Record: []byte(admin)},
			{Kind: pdp.LocationChanged, ID: "metro", Organization: "metro", Version: version},
		})
		require.NoError(t, err)
		at, _, err := sidecars[0].parseToken(token)
		require.NoError(t, err)
		want := fixture.UserOf(t, origintest.ViewOf(t, sourceOf(t, a, url)), "anna").Record()
		for _, c := range sidecars {
			require.Eventually(t, func() bool { return c.tracker.Reached(at) }, servertest.Timeout, servertest.PollInterval)
			for range 2 {
				v := origintest.ViewOf(t, c)
				assert.Nil(t, fixture.UserOf(t, v, stranger))
				assert.Equal(t, origintest.SortAssignments(want), origintest.SortAssignments(fixture.UserOf(t, v, "anna").Record()))
				l, err := v.Location(t.Context(), "metro")
				require.NoError(t, err)
				assert.NotNil(t, l)
			}
		}
	}
}

// The attack: somebody who can write to Redis makes a user an administrator of a region. Only a fleet key prevents it.
func TestForgedFactInRedis(t *testing.T) {
	redis := servertest.StartRedis(t)
	a := origintest.NewApplication(t, origintest.SampleDocument(1, 0).String())
	url := a.Serve().URL
	genuine := fixture.UserOf(t, origintest.ViewOf(t, sourceOf(t, a, url)), "anna").Record()
	for name, keys := range map[string]*fleetkey.Keys{"without a key": nil, "with a key": fleetKey(t, strings.Repeat("a1", 32))} {
		store := sharedStore(t, redisstore.Config{URL: redis.URL(), FleetKey: keys})
		c := openTestCache(t, Config{Origin: httpOrigin(t, a, url), Announced: true, FleetKey: keys,
			Store: store, Stream: store, MaxAgeChange: time.Hour, MaxAgeUse: time.Hour})
		awaitConfirmed(t, c)
		key := membership.Key{Kind: membership.UserRecord, ID: "anna"}
		forged := record.Pack(key, membership.Stamp{Version: pdp.MaxVersion, At: membership.Position{Epoch: c.tracker.Epoch()}, AsOf: time.Now()},
			[]byte("\x00"+`{"id":"anna","username":"anna@example.org","default_location":"metro","assignments":[{"location":"metro","role":"regional_admin"}]}`))
		for _, sealed := range []bool{false, true} {
			require.NoError(t, redis.Client().Set(t.Context(), redisstore.NewKeys("wk1", sealed).Name(key), forged, time.Minute).Err())
		}
		used := origintest.SortAssignments(fixture.UserOf(t, origintest.ViewOf(t, c), "anna").Record()).Assignments
		if keys == nil {
			assert.Equal(t, "regional_admin", used[0].Role, name)
			continue
		}
		assert.Equal(t, origintest.SortAssignments(genuine).Assignments, used, name)
	}
}

// sourceOf opens a cache that fetches every record from the application.
func sourceOf(t *testing.T, a *origintest.Application, url string) *Cache {
	return openTestCache(t, Config{Origin: httpOrigin(t, a, url), MaxAgeChange: time.Nanosecond})
}

func httpOrigin(t *testing.T, a *origintest.Application, address string) *httporigin.Origin {
	t.Helper()
	h, err := httporigin.Open(httporigin.Config{URL: address + "/membership", Timeout: fixture.Timeout})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	return h
}
