package cache

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// constantStore is a shared tier that has a value for every key.
type constantStore struct {
	value func(key membership.Key) []byte
}

func (l constantStore) Get(_ context.Context, key membership.Key) ([]byte, error) {
	return l.value(key), nil
}

func (l constantStore) Put(context.Context, membership.Key, []byte, time.Duration) error {
	return nil
}

func (l constantStore) Reserve(context.Context, membership.Key, time.Duration) (bool, error) {
	return true, nil
}

func (l constantStore) Reserved(context.Context, membership.Key) (bool, error) { return false, nil }

func (l constantStore) Unreserve(context.Context, membership.Key) error { return nil }

func (l constantStore) TakeSlot(context.Context, string, int, time.Duration, membership.Key) (bool, error) {
	return true, nil
}

func (l constantStore) NextRequest(context.Context, string, time.Duration, bool) (membership.Key, error) {
	return membership.Key{}, nil
}

func (l constantStore) Drop(context.Context, ...membership.Key) error { return nil }

func (l constantStore) Announce(context.Context, []pdp.Change) (membership.Position, error) {
	return membership.Position{}, errTierDown
}

func (l constantStore) Follow(ctx context.Context, handler membership.StreamHandler) {
	handler.Began(membership.Position{Epoch: "e", Sequence: 0}, membership.Position{Epoch: "e", Sequence: 0}, nil, time.Now())
	<-ctx.Done()
}

func (l constantStore) Now() time.Time { return time.Now() }

func (l constantStore) Close() error { return nil }

// viewOver returns a view of a new cache over such a tier.
func viewOver(t *testing.T, o *fakeOrigin, value func(membership.Key) []byte) facts.View {
	c, err := Open(Config{Origin: o, Vocabulary: fixture.Vocabulary(), MaxAgeChange: time.Hour, Lease: time.Hour,
		Logger: slog.New(slog.DiscardHandler), Store: constantStore{value}, Stream: constantStore{value}})
	require.NoError(t, err)
	for !c.storeUsable() {
		time.Sleep(10 * time.Microsecond)
	}
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	v, err := c.View(context.Background(), facts.Requirement{})
	require.NoError(t, err)
	return v
}

// FuzzShared checks that values which were not packed for their key are ignored, that a packed pointer is only a hint,
// and that a packed record is used only if it is a valid record of that key.
func FuzzShared(f *testing.F) {
	d := origintest.ReadDocument(f, []byte(fixture.WithUsers(fixture.Everyone)), record.JSON)
	for i := range d.Users {
		f.Add(append([]byte{0}, record.EncodeUser(nil, &d.Users[i])...))
	}
	f.Add(append([]byte{syntheticVersion}, record.EncodeLocations(nil, d.Locations)...))
	metro := slices.DeleteFunc(slices.Clone(d.Locations), func(l record.Location) bool { return !slices.Contains([]string{"metro", "north", "ghi", "jkl"}, l.ID) })
	f.Add(append([]byte{0}, record.EncodeLocations(nil, metro)...))
	f.Add(append([]byte{0}, record.EncodeUser(nil, &origintest.ReadDocument(f, []byte(fixture.WithUsers(fixture.Nurse("jane", "ed_admin", "jkl"))), record.JSON).Users[0])...))
	jane := membership.Key{Kind: membership.UserRecord, ID: "jane"}
	f.Add(record.Pack(jane, membership.Stamp{Version: 1, AsOf: time.Now()}, nil))
	for _, pointer := range []string{"", "\x00", "\x00jane", "\x00joe", "\x00nobody", "\x00broken", "\x01smile", "\x00metro", "\x00ghi", "\x02metro"} {
		f.Add([]byte(pointer))
	}
	o := newFakeOrigin()
	o.setUser("jane", fixture.Nurse("jane", "ed_normal", "ghi"))
	o.setUser("joe", fixture.Nurse("joe", "ed_admin", "jkl"))
	o.setUser("broken", fixture.Nurse("broken", "ed_admin", "nowhere"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ctx := context.Background()
		assertUnaffected := func(v facts.View) {
			u, err := v.UserByUsername(ctx, "JANE@example.org")
			if err != nil && bytes.Contains(data, []byte("broken")) {
				require.Equal(t, pdp.Unavailable, pdp.KindOf(err), "a pointer to a quarantined user")
				return
			}
			require.NoError(t, err)
			require.Equal(t, fixture.NurseRecord("jane", "ed_normal", "ghi"), u.Record())
			l, err := v.Location(ctx, "ghi")
			require.NoError(t, err)
			require.Equal(t, "metro", l.Organization())
		}
		assertUnaffected(viewOver(t, o, func(membership.Key) []byte { return data }))
		packed := func(key membership.Key) []byte {
			return record.Pack(key, membership.Stamp{Version: 1, AsOf: time.Now(), At: membership.Position{Epoch: "e", Sequence: 0}}, data)
		}
		assertUnaffected(viewOver(t, o, func(key membership.Key) []byte {
			if key.Kind == membership.UsernamePointer || key.Kind == membership.LocationPointer {
				return packed(key)
			}
			return nil
		}))

		v := viewOver(t, o, packed)
		if u, err := v.User(ctx, "jane"); err == nil && u != nil {
			require.Equal(t, "jane", u.ID())
			assertValid(t, v, u)
		}
		if l, err := v.Location(ctx, "ghi"); err == nil && l != nil {
			require.Equal(t, "ghi", l.ID())
			for root := l; ; root = root.Parent() {
				if root.Parent() == nil {
					require.Equal(t, l.Organization(), root.ID())
					break
				}
			}
		}
	})
}

// assertValid checks that a user and its organizations form a valid directory file.
func assertValid(t *testing.T, v facts.View, u *facts.User) {
	t.Helper()
	r := &origintest.Document{Locations: []origintest.Location{}, Users: []origintest.User{origintest.UserFromRecord(u.Record())}}
	seen := map[string]bool{}
	for _, a := range u.Record().Assignments {
		at, err := v.Location(context.Background(), a.Location)
		require.NoError(t, err)
		if seen[at.Organization()] {
			continue
		}
		seen[at.Organization()] = true
		all, err := v.Locations(context.Background(), facts.LocationQuery{Beneath: at.Organization()})
		require.NoError(t, err)
		for _, l := range all {
			r.Locations = append(r.Locations, origintest.Location(l.Record()))
		}
	}
	origintest.ParseDirectory(t, r.String())
}
