package proof_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/proof"
	"github.com/wardkeeper/wardkeeper/policies"
)

// FuzzDecodeProperties checks that any text is either refused or gives properties that each say one thing, of words that there are.
func FuzzDecodeProperties(f *testing.F) {
	f.Add(policies.Properties())
	for _, s := range []string{
		someProperties, "", "properties:", "properties: [{}]", "properties:\n- property: p\n  never: allowed\n  user: {with: [owner], self: false}\n",
		"properties:\n- &a {property: p, never: allowed, user: &u {roles: [owner]}, subject: *u}\n- *a\n", "properties: [{<<: {never: allowed}}]",
		"properties: [{property: p, never: allowed, user: {without: null, self: ~}}]", "properties: [{property: p, never: allowed, user: {self: true, self: false}}]",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := proof.DecodeProperties(data, terms)
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		require.NotEmpty(t, all)
		sentences := map[string]bool{}
		for _, p := range all {
			require.NotEmpty(t, p.Name)
			require.False(t, sentences[p.Name], "two properties have one sentence")
			sentences[p.Name] = true
			require.NotEqual(t, p.Never == "", p.IndependentOf == "")
			if p.Subject != nil {
				require.Nil(t, p.Subject.Self)
			}
			for _, person := range []*proof.Person{p.Subject, p.User} {
				if person == nil {
					continue
				}
				said := 0
				for _, roles := range [][]string{person.Roles, person.With, person.Without} {
					require.Subset(t, terms.Roles, roles)
					said += len(roles)
				}
				require.True(t, said > 0 || person.Self != nil, "a person of whom nothing is said is everybody")
			}
		}
	})
}
