package opawire

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/filter"
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
		"\"\\u0061\": \"\\x00\"", "[[[[[[", "a: 1e+5", "{1e+999}", strings.Repeat("6", 400) + ": 1",
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

// Whatever a request for a filter is, it is refused or names languages, and its names are names.
func FuzzFilterRequest(f *testing.F) {
	for _, seed := range [][2]string{
		{"application/vnd.opa.sql.postgresql+json", `{"input":{},"unknowns":["input.users"],"options":{"targetSQLTableMappings":{"users":{"$self":"people","name":"n"}}}}`},
		{"application/vnd.opa.multitarget+json", `{"options":{"targetDialects":["sql+sqlite","ucast+prisma"],"targetSQLTableMappings":{"sql":{"users":{"a":"b"}},"sqlite":{}}}}`},
		{"application/json", `{"query":"x"}`}, {"", `{}`},
	} {
		f.Add(seed[0], []byte(seed[1]))
	}
	c := filter.Comparison{Column: filter.Column{Table: "users", Name: "name"}, Operator: filter.Equal, Value: "x"}
	f.Fuzz(func(t *testing.T, accept string, body []byte) {
		members, err := ParseMembers(body)
		if err != nil {
			return
		}
		r, err := ParseFilterRequest(http.Header{"Accept": {accept}}, members)
		if err != nil {
			require.Equal(t, pdp.Invalid, pdp.KindOf(err))
			return
		}
		require.NotEmpty(t, r.Targets)
		require.Len(t, r.tables, len(r.Targets))
		out, err := r.Append(nil, c)
		require.NoError(t, err)
		require.True(t, json.Valid(out))
		for i, target := range r.Targets {
			if target.Dialect == "" {
				continue
			}
			clause, _ := filter.SQL(c, r.tables[i], target.Dialect)
			require.Regexp(t, `^WHERE [A-Za-z0-9_]+\.[A-Za-z0-9_]+ = [?$]`, clause)
		}
	})
}
