package directory

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

func TestYAMLTimesMustBeRFC3339(t *testing.T) {
	for _, s := range []string{"2016-12-31T23:59:60Z", "2026-01-01t00:00:00z", "2017-01-01T00:00:00Z", `"2017-01-01T00:00:00Z"`} {
		assert.False(t, fixture.UserOf(t, parseDirectory(t, "locations: []\nusers:\n- id: jane\n  last_login: "+s+"\n"), "jane").Record().LastLogin.IsZero())
	}
	assert.Equal(t, []string{`user "jane": last_login must be an RFC 3339 time`},
		faultsOf(t, "locations: []\nusers:\n- id: jane\n  last_login: 2026-02-03 04:05:06Z\n", record.YAML))
}
