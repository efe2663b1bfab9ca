package bundles

import (
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/util"
)

// FuzzDataFile checks that an accepted data file has no more values than were counted, and that OPA can read it.
func FuzzDataFile(f *testing.F) {
	for _, seed := range []string{
		"", "a: 1\n", `{"a": [1, 2.5, "x", null, true]}`, "a: &a {x: 1}\nb: {<<: *a, y: 2}\n", "- - - a\n", "a: [{},{}]\n", "? a\n: b\n",
		"a: 1\n---\nb: 2\n", "a: 1\na: 2\n", "\xef\xbb\xbfa: 1\n", "a: &a [*a]\n", "1: a\n\"1\": b\n", "a: !!binary eA==\n", "a: 0x1F\n", "a: |\n  b: c\n",
		"#\r[{},{}]", "a:\u2028b: 1", "{a, b, c}", "[a: b, c: d]", "a: 1e400", "%YAML 1.1\n---\na\n...\n",
	} {
		f.Add(true, seed)
		f.Add(false, seed)
	}
	const limit = 1000
	f.Fuzz(func(t *testing.T, yaml bool, text string) {
		name := "data.json"
		if yaml {
			name = "data.yaml"
		}
		rest := limit
		d, err := measureDataFile(File{name, []byte(text)}, &rest)
		if err != nil {
			if AsRefusal(err, Vetoed).Reason == Vetoed || len(err.Error()) > 300 {
				t.Fatalf("not a short refusal: %v", err)
			}
			return
		}
		if rest < 0 || rest > limit {
			t.Fatalf("%d values left of %d", rest, limit)
		}
		if d.strict() != nil {
			return
		}
		var value any
		if err := util.Unmarshal([]byte(text), &value); err != nil {
			if !strings.Contains(err.Error(), "merge") && !strings.Contains(err.Error(), "tag") && !strings.Contains(err.Error(), "cannot") {
				t.Fatalf("it is accepted, but cannot be read: %v", err)
			}
			return
		}
		if n, used := values(value), limit-rest; n > used+1 {
			t.Fatalf("%d values of %d counted", n, used)
		}
	})
}

// values counts values and names.
func values(value any) int {
	n := 1
	switch v := value.(type) {
	case map[string]any:
		for _, member := range v {
			n += 1 + values(member)
		}
	case []any:
		for _, element := range v {
			n += values(element)
		}
	}
	return n
}
