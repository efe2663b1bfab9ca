package record_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// readUser reads a body that EncodeUser wrote.
func readUser(body []byte) (record.User, *record.Faults, error) {
	v := record.NewValidator(fixture.Vocabulary())
	u, faults, err := v.User(v.Tokens(body))
	if err != nil {
		return record.User{}, faults, err
	}
	return *u, faults, nil
}

// readLocations reads a body that EncodeLocations wrote.
func readLocations(body []byte) ([]record.Location, *record.Faults, error) {
	v := record.NewValidator(fixture.Vocabulary())
	return v.Locations(v.Tokens(body))
}

func documentOf(t testing.TB, document []byte, f record.Format) *record.Document {
	t.Helper()
	faults := &record.Faults{}
	d := directory.ReadRecords(document, f, fixture.Vocabulary(), faults)
	require.Zero(t, faults.Count(), "%v", faults)
	return d
}

func requireSameUser(t testing.TB, want, got record.User) {
	t.Helper()
	require.True(t, record.SameUser(want.UserRecord, got.UserRecord), "%+v\n%+v", want.UserRecord, got.UserRecord)
	require.Equal(t, record.Carries(want), record.Carries(got))
}

// Each accepted record must be the same after encoding and reading it back. Equal records must have equal encodings.
func TestEncodedRecordsAreReadBack(t *testing.T) {
	documents := [][]byte{fixture.GenerateDocument(300, record.JSON), []byte(fixture.WithUsers(fixture.Everyone))}
	for seed := range uint64(50) {
		documents = append(documents, oddDirectory(rand.New(rand.NewPCG(seed, 4))))
	}
	for _, document := range documents {
		d := documentOf(t, document, record.JSON)
		for i := range d.Users {
			body := record.EncodeUser(nil, &d.Users[i])
			got, faults, err := readUser(body)
			require.NoError(t, err)
			require.Zero(t, faults.Count(), "%v", faults)
			requireSameUser(t, d.Users[i], got)
			require.Equal(t, body, record.EncodeUser(nil, &got))
		}
		body := record.EncodeLocations(nil, d.Locations)
		got, faults, err := readLocations(body)
		require.NoError(t, err)
		require.Zero(t, faults.Count(), "%v", faults)
		require.Len(t, got, len(d.Locations))
		records := map[facts.LocationRecord]bool{}
		for _, l := range d.Locations {
			records[l.LocationRecord] = true
		}
		for _, l := range got {
			require.True(t, records[l.LocationRecord], "%+v", l)
		}
		rand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		require.Equal(t, body, record.EncodeLocations([]byte("x"), got)[1:], "the order of the locations says nothing")
	}
}

// oddDirectory returns a directory with values that are allowed but rare.
func oddDirectory(r *rand.Rand) []byte {
	texts := []string{"", "a", "äöü", "active", "id", "\u2028", strings.Repeat("long ", 400), "0", "\U0001F600", "\x01", `a"b`}
	logins := []string{
		"0000-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999999-23:59", "1969-12-31T23:59:59.5Z",
		"2016-12-31T23:59:60Z", "2024-02-29T12:00:00.123456789+05:30", "0001-01-01T00:00:00Z",
	}
	pick := func(of []string) string { return of[r.IntN(len(of))] }
	var b strings.Builder
	b.WriteString(`{"locations":[{"id":"root","kind":"group","model":"practice_group"},{"id":"role","kind":"practice","parent":"root"}],"users":[`)
	for i := range 20 {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `{"id":"u%d","username":%q`, i, fmt.Sprintf("user-%d", i))
		if r.IntN(2) == 0 {
			fmt.Fprintf(&b, `,"name":{"title":%s,"given":%s,"family":%s}`, quoted(pick(texts)), quoted(pick(texts)), quoted(pick(texts)))
		}
		if r.IntN(2) == 0 {
			fmt.Fprintf(&b, `,"last_login":%q`, pick(logins))
		}
		if r.IntN(3) == 0 {
			b.WriteString(`,"status":"deactivated"`)
		}
		b.WriteString(`,"assignments":[{"location":"root","role":"owner","status":` + quoted(pick(record.AssignmentStatuses)))
		if r.IntN(2) == 0 {
			b.WriteString(`,"profession":` + quoted(pick(texts)))
		}
		if r.IntN(2) == 0 {
			b.WriteString(`,"registration_number":` + quoted(pick(texts)))
		}
		b.WriteString(pick([]string{"", `,"access":{}`, `,"access":{"areas":{}}`, `,"access":{"level":"full"}`,
			`,"access":{"level":"limited","areas":{"users":true,"calendars":false,"invoices":true}}`}))
		b.WriteString(pick([]string{"}]}", `},{"location":"role","role":"owner"}]}`}))
	}
	b.WriteString("]}")
	return []byte(b.String())
}

func quoted(s string) string {
	s = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\x01", `\u0001`).Replace(s)
	return `"` + s + `"`
}

func TestPackedValueIsUnpacked(t *testing.T) {
	key := membership.Key{Kind: membership.UserRecord, ID: "alice"}
	s := membership.Stamp{Version: pdp.MaxVersion, History: strings.Repeat("h", membership.MaxHistory), At: membership.Position{Epoch: "epoch", Sequence: 1 << 40}, AsOf: time.Unix(1_700_000_000, 123_456_789)}
	data := record.Pack(key, s, []byte("body"))
	got, body, err := record.Unpack(key, data)
	require.NoError(t, err)
	assert.Equal(t, "body", string(body))
	assert.True(t, got.AsOf.Equal(s.AsOf.Truncate(time.Microsecond)))
	got.AsOf = s.AsOf
	assert.Equal(t, s, got)

	none, body, err := record.Unpack(key, record.Pack(key, membership.Stamp{}, nil))
	require.NoError(t, err)
	assert.Equal(t, membership.Stamp{}, none)
	assert.Empty(t, body)
}

func TestUnpackRefusesWhatPackDidNotMake(t *testing.T) {
	key := membership.Key{Kind: membership.UserRecord, ID: "alice"}
	good := record.Pack(key, membership.Stamp{Version: 7}, []byte("body"))
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x40
		_, _, err := record.Unpack(key, bad)
		assert.Error(t, err, "byte %d", i)
		_, _, err = record.Unpack(key, good[:i])
		assert.Error(t, err, "cut to %d", i)
	}
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"another user":   {record.Pack(membership.Key{Kind: membership.UserRecord, ID: "bob"}, membership.Stamp{}, nil), record.ErrKey},
		"another kind":   {record.Pack(membership.Key{Kind: membership.UsernamePointer, ID: "alice"}, membership.Stamp{}, nil), record.ErrKey},
		"version":        {record.Pack(key, membership.Stamp{Version: pdp.MaxVersion + 1}, nil), record.ErrFormat},
		"long epoch":     {record.Pack(key, membership.Stamp{At: membership.Position{Epoch: strings.Repeat("e", record.MaxEpoch+1)}}, nil), record.ErrFormat},
		"size":           {record.Pack(key, membership.Stamp{}, make([]byte, membership.MaxRecord+record.MaxHeader)), record.ErrFormat},
		"earlier format": {append([]byte("WKF\x02"), good[4:]...), record.ErrFormat},
		"long history":   {record.Pack(key, membership.Stamp{History: strings.Repeat("h", membership.MaxHistory+1)}, nil), record.ErrFormat},
		"odd history":    {record.Pack(key, membership.Stamp{History: "a\n"}, nil), record.ErrFormat},
		"later format":   {append([]byte("WKF\x04"), good[4:]...), record.ErrFormat},
		"something":      {[]byte(strings.Repeat("x", 100)), record.ErrFormat},
		"appended byte":  {append(bytes.Clone(good), 0), record.ErrChecksum},
	} {
		_, _, err := record.Unpack(key, c.data)
		assert.ErrorIs(t, err, c.want, name)
	}
}
