package redisstore

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

func TestPutComparesVersionsWithinHistoryAndFetchTimesBetweenTwo(t *testing.T) {
	store := openStore(t, Config{URL: servertest.StartRedis(t).URL(), Timeout: 10 * time.Second})
	key := membership.Key{Kind: membership.UserRecord, ID: "alice"}
	early, late := time.Unix(1_700_000_000, 0), time.Unix(1_700_000_001, 0)
	put := func(history string, version uint64, asOf time.Time) []byte {
		value := record.Pack(key, membership.Stamp{Version: version, AsOf: asOf, History: history}, []byte("body"))
		require.NoError(t, store.Put(t.Context(), key, value, time.Minute))
		return value
	}
	kept := func(want []byte, why string) {
		got, err := store.Get(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, want, got, why)
	}
	long := strings.Repeat("h", membership.MaxHistory)
	first := put(long, pdp.MaxVersion, early)
	kept(first, "the first")
	put(long, 7, late)
	kept(first, "an older version of the same history")
	put(long[1:], pdp.MaxVersion, early.Add(-1))
	kept(first, "another history, fetched before")
	second := put(long[1:], 1, late)
	kept(second, "another history, fetched later")
	put("", 9, early)
	kept(second, "none, fetched before")
	third := put("", 9, late)
	kept(third, "none, fetched later")
	fourth := put("", 10, early)
	kept(fourth, "a newer version of the same history, fetched before")
	old := append([]byte("WKF\x01"), fourth[4:]...)
	require.NoError(t, store.values.Set(t.Context(), store.keys.Name(key), old, 0).Err())
	fifth := put("", 1, early)
	kept(fifth, "a value of an older release is replaced")
}
