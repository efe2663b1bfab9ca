package opawire

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// FuzzMerge compares merge with a simpler implementation, and checks that it does not modify its arguments.
func FuzzMerge(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"x":0,"y":{"p":0}}`, `{"y":{"p":1,"q":{}}}`}, {`{}`, `{}`}, {`{"a":1}`, `null`}, {`{"a":{"b":{"c":[]}}}`, `{"a":{"b":{"c":{}}}}`}, {`{"":{}}`, `{"":{"":1}}`},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, common, own []byte) {
		c, err := authzen.ParseObject(common)
		if err != nil {
			return
		}
		o, err := authzen.ParseValue(own)
		if err != nil {
			return
		}
		before := [2]string{encode(t, c), encode(t, o)}
		m := merge(c, o)
		if !reflect.DeepEqual(m, referenceMerge(c, o)) {
			t.Fatalf("%s over %s is %v", own, common, m)
		}
		if after := [2]string{encode(t, c), encode(t, o)}; after != before {
			t.Fatalf("%v became %v", before, after)
		}
		if !reflect.DeepEqual(merge(map[string]any{}, o), o) {
			t.Fatal("merging with an empty common input changed the input")
		}
	})
}

// referenceMerge is another implementation of merge.
func referenceMerge(common, own any) any {
	o, ok := own.(map[string]any)
	c, both := common.(map[string]any)
	if !ok || !both {
		return own
	}
	all := map[string]any{}
	for name := range c {
		if value, has := o[name]; has {
			all[name] = referenceMerge(c[name], value)
		} else {
			all[name] = c[name]
		}
	}
	for name, value := range o {
		if _, has := c[name]; !has {
			all[name] = value
		}
	}
	return all
}

func encode(t *testing.T, value any) string {
	t.Helper()
	out, err := authzen.AppendValue(nil, value)
	require.NoError(t, err)
	return string(out)
}

// FuzzYAMLToJSON checks that the result is valid JSON, and that a body that is valid JSON keeps its value.
func FuzzYAMLToJSON(f *testing.F) {
	for _, seed := range []string{
		``, `a: 1`, "- a\n- [b, {c: 'd'}]\n", "a: &x 1\nb: *x", `{"a":[1,null,true,"x"]}`, "a: |\n x\n", "? a\n: b", "--- x\n...\n", "a: 1\na: 2", "%YAML 1.1\n---\ny", "a: 0x1",
		"\"\\u0061\": \"\\x00\"", "[[[[[[", "a: 1e+5",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		out, err := yamlToJSON(body)
		if err != nil {
			if pdp.KindOf(err) != pdp.Invalid {
				t.Fatal(err)
			}
			return
		}
		if out == nil {
			return
		}
		if !json.Valid(out) {
			t.Fatalf("%q became %q", body, out)
		}
		value, err := authzen.ParseValue(body)
		if err != nil {
			return
		}
		same, err := authzen.ParseValue(out)
		if err != nil || !reflect.DeepEqual(value, same) {
			t.Fatalf("%q is %v as JSON and %v as YAML (%v)", body, value, same, err)
		}
	})
}
