package directory

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

func TestParseTime(t *testing.T) {
	for s, want := range map[string]time.Time{
		"2026-02-03T04:05:06Z":                   time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC),
		"2026-01-01t00:00:00z":                   time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		"2026-02-03T04:05:06.7+02:00":            time.Date(2026, 2, 3, 2, 5, 6, 700_000_000, time.UTC),
		"2026-02-03T04:05:06.123456789-23:59":    time.Date(2026, 2, 4, 4, 4, 6, 123_456_789, time.UTC),
		"2026-02-03T04:05:06.1234567899999Z":     time.Date(2026, 2, 3, 4, 5, 6, 123_456_789, time.UTC),
		"2026-02-03T04:05:06-00:00":              time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC),
		"2024-02-29T23:59:59Z":                   time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC),
		"2016-12-31T23:59:60Z":                   time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC),
		"2016-12-31T23:59:60.5Z":                 time.Date(2017, 1, 1, 0, 0, 0, 500_000_000, time.UTC),
		"1990-12-31T15:59:60-08:00":              time.Date(1991, 1, 1, 0, 0, 0, 0, time.UTC),
		"2015-07-01T05:29:60+05:30":              time.Date(2015, 7, 1, 0, 0, 0, 0, time.UTC),
		"0000-01-01T00:00:00Z":                   time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC),
		"9999-12-31T23:59:59.99999999999999999Z": time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
	} {
		got, ok := record.ParseTime(s)
		assert.True(t, ok, s)
		assert.Equal(t, want, got, s)
	}
	for _, s := range []string{
		"", "yesterday", "2026-02-03", "2026-02-03T04:05Z", "2026-02-03T04:05:06", "2026-02-03 04:05:06Z",
		"2016-12-31T23:59:59,5Z", "2026-02-03T4:05:06Z", "2026-2-3T04:05:06Z", "2026-02-03T04:05:6Z",
		"2026-02-03T04:05:06+24:00", "2026-02-03T04:05:06+23:60", "2026-02-03T04:05:06+0200", "2026-02-03T04:05:06+02",
		"2026-02-03T04:05:06+2:00", "2026-02-03T04:05:06Z+02:00", "2026-02-03T04:05:06UTC", "2026-02-03T04:05:06+02:00 ",
		"2026-02-03T04:05:06.Z", "2026-02-03T04:05:06.", "2026-02-03T04:05:06.7", " 2026-02-03T04:05:06Z", "2026-02-03T04:05:06Z ",
		"2026-00-03T04:05:06Z", "2026-13-03T04:05:06Z", "2026-02-00T04:05:06Z", "2026-02-29T04:05:06Z", "2026-04-31T04:05:06Z",
		"2026-02-03T24:00:00Z", "2026-02-03T04:60:06Z", "2026-02-03T04:05:61Z", "26-02-03T04:05:06Z", "12026-02-03T04:05:06Z",
		"2026-02-03T04:05:60Z", "2016-12-30T23:59:60Z", "2016-12-31T23:59:60+01:00", "2016-12-31T22:59:60Z",
		"+026-02-03T04:05:06Z", "-026-02-03T04:05:06Z", "2026/02/03T04:05:06Z", "2026-02-03T04-05-06Z", "٢٠٢٦-02-03T04:05:06Z",
	} {
		got, ok := record.ParseTime(s)
		assert.False(t, ok, s)
		assert.Zero(t, got, s)
	}
	// Whatever YAML takes it for.
	for _, s := range []string{"2016-12-31T23:59:60Z", "2026-01-01t00:00:00z", "2017-01-01T00:00:00Z", `"2017-01-01T00:00:00Z"`} {
		assert.False(t, fixture.UserOf(t, Parsed(t, "locations: []\nusers:\n- id: jane\n  last_login: "+s+"\n"), "jane").Record().LastLogin.IsZero())
	}
	assert.Equal(t, []string{`user "jane": last_login must be an RFC 3339 time`},
		faultsOf(t, "locations: []\nusers:\n- id: jane\n  last_login: 2026-02-03 04:05:06Z\n", record.YAML))
}
