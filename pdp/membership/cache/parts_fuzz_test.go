package cache

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// FuzzParts checks that parts from the shared store are refused, or are within their bounds and as they were written.
func FuzzParts(f *testing.F) {
	f.Add((&parts{[]string{"ghi", "north"}, nil, []byte(`[{"id":"ghi","kind":"facility","parent":"north"}]`)}).encode(nil))
	f.Add((&parts{[]string{"ghi"}, []string{"north"}, []byte(`[]`)}).encode(nil))
	for _, text := range []string{``, `null`, `{}`, `{"asked":[]}`, `{"asked":["b","a"],"record":[]}`, `{"asked":["a","a"],"record":[]}`, `{"asked":[""],"record":[]}`, `{"asked":["a"]}`, `{"asked":["a"],"alone":["a"]}`, `{"asked":[],"alone":["b","a"]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := decodeParts(text)
		if err != nil {
			return
		}
		ids := p.ids()
		require.NotEmpty(t, ids)
		require.LessOrEqual(t, len(ids), maxBranches)
		for i, id := range ids {
			require.True(t, facts.ValidID(id))
			require.True(t, i == 0 || ids[i-1] < id)
		}
		again, err := decodeParts(p.encode(nil))
		require.NoError(t, err)
		require.Equal(t, p.asked, again.asked)
		require.ElementsMatch(t, p.alone, again.alone)
	})
}
