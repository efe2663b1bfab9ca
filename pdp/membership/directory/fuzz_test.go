package directory

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// FuzzDirectory checks that any document is either refused with faults or parsed into a directory that satisfies every
// rule.
func FuzzDirectory(f *testing.F) {
	f.Add([]byte(everyoneYAML))
	f.Add([]byte(fixture.WithUsers(fixture.Everyone)))
	f.Add(fixture.GenerateDocument(2, record.JSON))
	f.Add(fixture.GenerateDocument(2, record.YAML))
	for _, cases := range [][]faultCase{documentFaults, locationFaults, userFaults, assignmentFaults} {
		for _, c := range cases {
			f.Add([]byte(c.document))
		}
	}
	for _, s := range []string{
		"", "{", "users:\n- &a b\n- *a\n", "locations:\n- id: a\nusers:\n- {id: \"\n- x\"}\n", "? {}\n: x\n", "a: |1\n b\n", "%YAML 1.2\n---\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, format := range []record.Format{record.Auto, record.JSON, record.YAML} {
			d, err := ParseDocument(data, format, fixture.Vocabulary(), nil)
			if err == nil {
				fixture.AssertInvariants(t, d)
				continue
			}
			var faults *record.Faults
			require.True(t, errors.As(err, &faults))
			require.Nil(t, d)
			require.NotEmpty(t, faults.All())
			require.NotEmpty(t, err.Error())
		}
		assertBlocksAgree(t, data)
	})
}
