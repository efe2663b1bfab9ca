package membership

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// laid is a shared tier in which a value lies for every key.
type laid struct {
	value func(key recordKey) []byte
}

func (l laid) get(_ context.Context, key recordKey) ([]byte, error) { return l.value(key), nil }
func (l laid) put(context.Context, recordKey, []byte, time.Duration) error {
	return nil
}
func (l laid) drop(context.Context, ...recordKey) error                 { return nil }
func (l laid) announce(context.Context, []pdp.Change) (position, error) { return position{}, errHub }
func (l laid) follow(ctx context.Context, hear followed) {
	hear.began(position{"e", 0}, position{"e", 0}, nil, time.Now())
	<-ctx.Done()
}
func (l laid) now() time.Time { return time.Now() }
func (l laid) close() error   { return nil }

// overLaid is a view of a new sidecar with such a tier.
func overLaid(t *testing.T, o *fakeOrigin, value func(recordKey) []byte) pdp.View {
	c, err := OpenCached(CachedConfig{Origin: o, Vocabulary: words(), MaxAgeChange: time.Hour, Lease: time.Hour,
		Logger: slog.New(slog.DiscardHandler), shared: laid{value}})
	require.NoError(t, err)
	for !c.inTouch() {
		time.Sleep(10 * time.Microsecond)
	}
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	v, err := c.View(context.Background(), pdp.Need{})
	require.NoError(t, err)
	return v
}

// FuzzShared: bytes that were not packed for a key are as if nothing lay there. A pointer that was, wherever it leads, is a
// hint; and a record that was is a sound one of that key, or as if it were not there.
func FuzzShared(f *testing.F) {
	d := draftOf(f, []byte(withUsers(everyone)), JSON)
	for i := range d.users {
		f.Add(append([]byte{0}, encodeUser(nil, &d.users[i])...))
	}
	f.Add(append([]byte{madeVersion}, encodeLocations(nil, d.locations)...))
	metro := slices.DeleteFunc(slices.Clone(d.locations), func(l locationDraft) bool { return !slices.Contains([]string{"metro", "north", "ghi", "jkl"}, l.ID) })
	f.Add(append([]byte{0}, encodeLocations(nil, metro)...))
	f.Add(append([]byte{0}, encodeUser(nil, &draftOf(f, []byte(withUsers(nurse("jane", "ed_admin", "jkl"))), JSON).users[0])...))
	jane := recordKey{userRecord, "jane"}
	f.Add(packFact(jane, stamp{version: 1, asOf: time.Now()}, nil))
	for _, pointer := range []string{"", "\x00", "\x00jane", "\x00joe", "\x00nobody", "\x00broken", "\x01smile", "\x00metro", "\x00ghi", "\x02metro"} {
		f.Add([]byte(pointer))
	}
	o := newFakeOrigin()
	o.setUser("jane", nurse("jane", "ed_normal", "ghi"))
	o.setUser("joe", nurse("joe", "ed_admin", "jkl"))
	o.setUser("broken", nurse("broken", "ed_admin", "nowhere"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ctx := context.Background()
		asInOrigin := func(v pdp.View) {
			u, err := v.UserByUsername(ctx, "JANE@example.org")
			if err != nil && bytes.Contains(data, []byte("broken")) {
				require.Equal(t, pdp.Unavailable, pdp.KindOf(err), "a pointer to whom nothing may be decided by")
				return
			}
			require.NoError(t, err)
			require.Equal(t, nurseRecord("jane", "ed_normal", "ghi"), u.Record())
			l, err := v.Location(ctx, "ghi")
			require.NoError(t, err)
			require.Equal(t, "metro", l.Organization())
		}
		asInOrigin(overLaid(t, o, func(recordKey) []byte { return data }))
		packed := func(key recordKey) []byte {
			return packFact(key, stamp{version: 1, asOf: time.Now(), at: position{"e", 0}}, data)
		}
		asInOrigin(overLaid(t, o, func(key recordKey) []byte {
			if key.kind == usernamePointer || key.kind == locationPointer {
				return packed(key)
			}
			return nil
		}))

		v := overLaid(t, o, packed)
		if u, err := v.User(ctx, "jane"); err == nil && u != nil {
			require.Equal(t, "jane", u.ID())
			assertSound(t, v, u)
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

func nurseRecord(id, role, at string) pdp.UserRecord {
	return pdp.UserRecord{ID: id, Username: id + "@example.org", Status: pdp.StatusActive, DefaultLocation: at,
		Assignments: []pdp.AssignmentRecord{{Location: at, Role: role, Status: pdp.StatusActive}}}
}

// assertSound says that a user and the organizations around it could stand in a directory file: there is no way around its rules.
func assertSound(t *testing.T, v pdp.View, u *pdp.User) {
	t.Helper()
	r := &roster{Locations: []rosterLocation{}, Users: []rosterUser{asRoster(u.Record())}}
	seen := map[string]bool{}
	for _, a := range u.Record().Assignments {
		at, err := v.Location(context.Background(), a.Location)
		require.NoError(t, err)
		if seen[at.Organization()] {
			continue
		}
		seen[at.Organization()] = true
		all, err := v.Locations(context.Background(), pdp.LocationQuery{Beneath: at.Organization()})
		require.NoError(t, err)
		for _, l := range all {
			r.Locations = append(r.Locations, rosterLocation(l.Record()))
		}
	}
	parsed(t, r.String())
}
