package membership

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
)

// unpackedUser reads a user's body by the reader that documents are read by.
func unpackedUser(t testing.TB, body []byte, vocab pdp.Vocabulary) (userDraft, *Faults, error) {
	t.Helper()
	r := reader{in: newBinaryTokens(body), vocab: vocabulary{vocab}, faults: &Faults{}}
	first, err := r.in.next()
	if err != nil {
		return userDraft{}, r.faults, err
	}
	v, err := r.value(first, 0)
	if err != nil {
		return userDraft{}, r.faults, err
	}
	u := r.user(0, v)
	return u, r.faults, r.finish()
}

func unpackedLocations(t testing.TB, body []byte) ([]locationDraft, *Faults, error) {
	t.Helper()
	r := reader{in: newBinaryTokens(body), faults: &Faults{}}
	first, err := r.in.next()
	if err != nil || first.kind != kindArray {
		return nil, r.faults, err
	}
	var all []locationDraft
	for {
		next, err := r.in.next()
		if err != nil {
			return nil, r.faults, err
		}
		if next.kind == kindEnd {
			return all, r.faults, r.finish()
		}
		v, err := r.value(next, 1)
		if err != nil {
			return nil, r.faults, err
		}
		all = append(all, r.location(len(all), v))
	}
}

func draftOf(t testing.TB, document []byte, f Format) *draft {
	t.Helper()
	r := reader{vocab: vocabulary{words()}, faults: &Faults{}}
	d, err := r.read(document, f)
	require.NoError(t, err)
	require.Zero(t, r.faults.Count(), "%v", r.faults)
	return d
}

func requireSameDraft(t testing.TB, want, got userDraft) {
	t.Helper()
	require.True(t, sameUser(want.UserRecord, got.UserRecord), "%+v\n%+v", want.UserRecord, got.UserRecord)
	require.Equal(t, want.carries, got.carries)
}

// Whatever the reader accepts comes back the same, and is encoded in one way only.
func TestFactsComeBack(t *testing.T) {
	documents := [][]byte{generated(300, JSON), []byte(withUsers(everyone))}
	for seed := range uint64(50) {
		documents = append(documents, oddDirectory(rand.New(rand.NewPCG(seed, 4))))
	}
	for _, document := range documents {
		d := draftOf(t, document, JSON)
		for i := range d.users {
			body := encodeUser(nil, &d.users[i])
			got, faults, err := unpackedUser(t, body, words())
			require.NoError(t, err)
			require.Zero(t, faults.Count(), "%v", faults)
			requireSameDraft(t, d.users[i], got)
			require.Equal(t, body, encodeUser(nil, &got))
		}
		body := encodeLocations(nil, d.locations)
		got, faults, err := unpackedLocations(t, body)
		require.NoError(t, err)
		require.Zero(t, faults.Count(), "%v", faults)
		require.Len(t, got, len(d.locations))
		records := map[pdp.LocationRecord]bool{}
		for _, l := range d.locations {
			records[l.LocationRecord] = true
		}
		for _, l := range got {
			require.True(t, records[l.LocationRecord], "%+v", l)
		}
		rand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		require.Equal(t, body, encodeLocations([]byte("x"), got)[1:], "the order of the locations says nothing")
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
		b.WriteString(`,"assignments":[{"location":"root","role":"owner","status":` + quoted(pick(assignmentStatuses)))
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
	key := recordKey{userRecord, "alice"}
	s := stamp{version: pdp.MaxVersion, history: strings.Repeat("h", MaxHistory), at: position{"epoch", 1 << 40}, asOf: time.Unix(1_700_000_000, 123_456_789)}
	data := packFact(key, s, []byte("body"))
	got, body, err := unpackFact(key, data)
	require.NoError(t, err)
	assert.Equal(t, "body", string(body))
	assert.True(t, got.asOf.Equal(s.asOf.Truncate(time.Microsecond)))
	got.asOf = s.asOf
	assert.Equal(t, s, got)

	none, body, err := unpackFact(key, packFact(key, stamp{}, nil))
	require.NoError(t, err)
	assert.Equal(t, stamp{}, none)
	assert.Empty(t, body)
}

func TestFactsThatAreRefused(t *testing.T) {
	key := recordKey{userRecord, "alice"}
	good := packFact(key, stamp{version: 7}, []byte("body"))
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x40
		_, _, err := unpackFact(key, bad)
		assert.Error(t, err, "byte %d", i)
		_, _, err = unpackFact(key, good[:i])
		assert.Error(t, err, "cut to %d", i)
	}
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"another user":   {packFact(recordKey{userRecord, "bob"}, stamp{}, nil), errFactKey},
		"another kind":   {packFact(recordKey{usernamePointer, "alice"}, stamp{}, nil), errFactKey},
		"version":        {packFact(key, stamp{version: pdp.MaxVersion + 1}, nil), errFact},
		"long epoch":     {packFact(key, stamp{at: position{epoch: strings.Repeat("e", longestEpoch+1)}}, nil), errFact},
		"size":           {packFact(key, stamp{}, make([]byte, MaxRecord+maxHeader)), errFact},
		"earlier format": {append([]byte("WKF\x01"), good[4:]...), errFact},
		"long history":   {packFact(key, stamp{history: strings.Repeat("h", MaxHistory+1)}, nil), errFact},
		"odd history":    {packFact(key, stamp{history: "a\n"}, nil), errFact},
		"later format":   {append([]byte("WKF\x03"), good[4:]...), errFact},
		"something":      {[]byte(strings.Repeat("x", 100)), errFact},
		"appended byte":  {append(bytes.Clone(good), 0), errFactSum},
	} {
		_, _, err := unpackFact(key, c.data)
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
	require.GreaterOrEqual(t, len(factWords), len(want))
	assert.Equal(t, want, factWords[:len(want)])
	assert.LessOrEqual(t, len(factWords), 256-firstWord)
	assert.Len(t, factWordAt, len(factWords), "no word is there twice")
	for _, word := range (vocabulary{words()}).words() {
		assert.Contains(t, factWordAt, word)
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
		"too deep":               strings.Repeat("\x02", deepestFact+1) + strings.Repeat("\x00", deepestFact+1),
		"what follows":           "\x01\x00\x00",
		"too many":               "\x02\x02" + strings.Repeat("\x04", mostTokens) + "\x00\x00",
	} {
		in := newBinaryTokens([]byte(body))
		var err error
		for err == nil {
			_, err = in.next()
		}
		assert.True(t, err == errTokens || err == errTrailing, "%s: %v", name, err)
	}
}
