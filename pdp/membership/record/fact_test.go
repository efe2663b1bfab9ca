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

// unpackedUser reads a user's body by the reader that documents are read by.
func unpackedUser(t testing.TB, body []byte, vocab pdp.Vocabulary) (record.User, *record.Faults, error) {
	t.Helper()
	r := record.Reader{In: record.NewBinaryTokens(body), Vocab: record.Vocabulary{Vocabulary: vocab}, Faults: &record.Faults{}}
	first, err := r.In.Next()
	if err != nil {
		return record.User{}, r.Faults, err
	}
	v, err := r.Value(first, 0)
	if err != nil {
		return record.User{}, r.Faults, err
	}
	u := r.User(0, v)
	return u, r.Faults, r.Finish()
}

func unpackedLocations(t testing.TB, body []byte) ([]record.Location, *record.Faults, error) {
	t.Helper()
	r := record.Reader{In: record.NewBinaryTokens(body), Faults: &record.Faults{}}
	first, err := r.In.Next()
	if err != nil || first.Kind != record.KindArray {
		return nil, r.Faults, err
	}
	var all []record.Location
	for {
		next, err := r.In.Next()
		if err != nil {
			return nil, r.Faults, err
		}
		if next.Kind == record.KindEnd {
			return all, r.Faults, r.Finish()
		}
		v, err := r.Value(next, 1)
		if err != nil {
			return nil, r.Faults, err
		}
		all = append(all, r.Location(len(all), v))
	}
}

func DraftOf(t testing.TB, document []byte, f record.Format) *record.Document {
	t.Helper()
	r := directory.DocumentReader{Reader: &record.Reader{Vocab: record.Vocabulary{Vocabulary: fixture.Words()}, Faults: &record.Faults{}}}
	d, err := r.Read(document, f)
	require.NoError(t, err)
	require.Zero(t, r.Faults.Count(), "%v", r.Faults)
	return d
}

func requireSameDraft(t testing.TB, want, got record.User) {
	t.Helper()
	require.True(t, record.SameUser(want.UserRecord, got.UserRecord), "%+v\n%+v", want.UserRecord, got.UserRecord)
	require.Equal(t, want.Carries, got.Carries)
}

// Whatever the reader accepts comes back the same, and is encoded in one way only.
func TestFactsComeBack(t *testing.T) {
	documents := [][]byte{fixture.Generated(300, record.JSON), []byte(fixture.WithUsers(fixture.Everyone))}
	for seed := range uint64(50) {
		documents = append(documents, oddDirectory(rand.New(rand.NewPCG(seed, 4))))
	}
	for _, document := range documents {
		d := DraftOf(t, document, record.JSON)
		for i := range d.Users {
			body := record.EncodeUser(nil, &d.Users[i])
			got, faults, err := unpackedUser(t, body, fixture.Words())
			require.NoError(t, err)
			require.Zero(t, faults.Count(), "%v", faults)
			requireSameDraft(t, d.Users[i], got)
			require.Equal(t, body, record.EncodeUser(nil, &got))
		}
		body := record.EncodeLocations(nil, d.Locations)
		got, faults, err := unpackedLocations(t, body)
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

// oddDirectory has what a directory may have and seldom has.
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

func TestFactHeader(t *testing.T) {
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

func TestFactsThatAreRefused(t *testing.T) {
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
		"long epoch":     {record.Pack(key, membership.Stamp{At: membership.Position{Epoch: strings.Repeat("e", record.LongestEpoch+1)}}, nil), record.ErrFormat},
		"size":           {record.Pack(key, membership.Stamp{}, make([]byte, membership.MaxRecord+record.MaxHeader)), record.ErrFormat},
		"earlier format": {append([]byte("WKF\x01"), good[4:]...), record.ErrFormat},
		"long history":   {record.Pack(key, membership.Stamp{History: strings.Repeat("h", membership.MaxHistory+1)}, nil), record.ErrFormat},
		"odd history":    {record.Pack(key, membership.Stamp{History: "a\n"}, nil), record.ErrFormat},
		"later format":   {append([]byte("WKF\x03"), good[4:]...), record.ErrFormat},
		"something":      {[]byte(strings.Repeat("x", 100)), record.ErrFormat},
		"appended byte":  {append(bytes.Clone(good), 0), record.ErrChecksum},
	} {
		_, _, err := record.Unpack(key, c.data)
		assert.ErrorIs(t, err, c.want, name)
	}
}

// The dictionary is part of the format: words may only be added behind these.
func TestFactWordsStay(t *testing.T) {
	const first = "id name kind parent model plan username title given family status default_location last_login assignments " +
		"location role access level areas profession registration_number region division facility system entity group practice " +
		"vendor regional health_system practice_group free paid active invited deactivated regional_admin division_admin " +
		"public_health_admin public_health ed_admin ed_normal system_admin entity_admin user owner administrator practitioner " +
		"vendor_staff full standard limited calendars credit_settings invoices locations patient_records reminder_settings users " +
		"Dr. Mr. Mrs. Ms. Prof."
	want := strings.Fields(first)
	require.GreaterOrEqual(t, len(record.FactWords), len(want))
	assert.Equal(t, want, record.FactWords[:len(want)])
	assert.LessOrEqual(t, len(record.FactWords), 256-record.FirstWord)
	assert.Len(t, record.FactWordAt, len(record.FactWords), "no word is there twice")
	for _, word := range (record.Vocabulary{Vocabulary: fixture.Words()}).Words() {
		assert.Contains(t, record.FactWordAt, word)
	}
}

func TestTokensThatAreRefused(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":                "",
		"an end alone":           "\x00",
		"not ended":              "\x01",
		"a name that is no text": "\x01\x04\x04\x00",
		"a name without a value": "\x01\x10\x00",
		"unknown tag":            "\x08",
		"unknown word":           "\xff",
		"a text cut off":         "\x05\x04abc",
		"a length cut off":       "\x05\x80",
		"a long length":          "\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"a length too wide":      "\x05\x81\x00a",
		"not UTF-8":              "\x05\x01\xff",
		"again of nothing":       "\x06\x00",
		"nanoseconds":            "\x07\x00\x80\x94\xeb\xdc\x03",
		"a far time":             "\x07\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00",
		"too deep":               strings.Repeat("\x02", record.DeepestFact+1) + strings.Repeat("\x00", record.DeepestFact+1),
		"what follows":           "\x01\x00\x00",
		"too many":               "\x02\x02" + strings.Repeat("\x04", record.MostTokens) + "\x00\x00",
	} {
		in := record.NewBinaryTokens([]byte(body))
		var err error
		for err == nil {
			_, err = in.Next()
		}
		assert.True(t, err == record.ErrTokens || err == record.ErrTrailing, "%s: %v", name, err)
	}
}
