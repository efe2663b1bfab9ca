package filter_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/filter"
)

func TestConditionsInEachLanguage(t *testing.T) {
	name := filter.Column{Table: "users", Name: "name"}
	names := filter.Names{"users": {Name: "people", Columns: map[string]string{"name": "full_name"}}}
	compare := func(o filter.Operator, value filter.Value) filter.Condition {
		return filter.Comparison{Column: name, Operator: o, Value: value}
	}
	type sql struct {
		clause     string
		parameters []any
	}
	for what, c := range map[string]struct {
		condition filter.Condition
		of        map[filter.Dialect]sql
		ucast     string
	}{
		"yes": {filter.All{}, map[filter.Dialect]sql{
			filter.PostgreSQL: {"WHERE 1 = 1", []any{}}, filter.MySQL: {"WHERE 1 = 1", []any{}}, filter.SQLite: {"WHERE 1 = 1", []any{}}},
			`{"type":"compound","operator":"and","value":[]}`},
		"no": {filter.Any{}, map[filter.Dialect]sql{
			filter.PostgreSQL: {"WHERE 1 = 0", []any{}}, filter.MySQL: {"WHERE 1 = 0", []any{}}, filter.SQLite: {"WHERE 1 = 0", []any{}}},
			`null`},
		"equal": {compare(filter.Equal, "' OR 1=1"), map[filter.Dialect]sql{
			filter.PostgreSQL: {"WHERE people.full_name = $1", []any{"' OR 1=1"}},
			filter.MySQL: {"WHERE people.full_name = ? AND CAST(CONVERT(people.full_name USING utf8mb4) AS BINARY) = CAST(CONVERT(? USING utf8mb4) AS BINARY)",
				[]any{"' OR 1=1", "' OR 1=1"}},
			filter.SQLite: {"WHERE people.full_name = ? COLLATE BINARY", []any{"' OR 1=1"}}},
			`{"type":"field","operator":"eq","field":"people.full_name","value":"' OR 1=1"}`},
		"less": {compare(filter.Less, "m"), map[filter.Dialect]sql{
			filter.PostgreSQL: {`WHERE people.full_name < $1 COLLATE "C"`, []any{"m"}},
			filter.SQLite:     {"WHERE people.full_name < ? COLLATE BINARY", []any{"m"}}},
			`{"type":"field","operator":"lt","field":"people.full_name","value":"m"}`},
		"ends": {compare(filter.EndsWith, "日本"), map[filter.Dialect]sql{
			filter.PostgreSQL: {"WHERE right(people.full_name, 2) = $1", []any{"日本"}},
			filter.MySQL:      {"WHERE RIGHT(CAST(CONVERT(people.full_name USING utf8mb4) AS BINARY), 6) = CAST(CONVERT(? USING utf8mb4) AS BINARY)", []any{"日本"}},
			filter.SQLite:     {"WHERE substr(people.full_name, -2) = ? COLLATE BINARY", []any{"日本"}}},
			`{"type":"field","operator":"endswith","field":"people.full_name","value":"日本"}`},
		"both, or not": {filter.Any{filter.All{compare(filter.Greater, int64(1)), compare(filter.Equal, true)},
			filter.Not{Condition: filter.Membership{Column: name, Values: []filter.Value{"a", "b"}}}}, map[filter.Dialect]sql{
			filter.PostgreSQL: {"WHERE ((people.full_name > $1) AND (people.full_name = TRUE)) OR (NOT (people.full_name IN ($2, $3)))", []any{int64(1), "a", "b"}},
			filter.SQLite:     {"WHERE ((people.full_name > ?) AND (people.full_name = TRUE)) OR (NOT (people.full_name COLLATE BINARY IN (?, ?)))", []any{int64(1), "a", "b"}}},
			`{"type":"compound","operator":"or","value":[{"type":"compound","operator":"and","value":[
				{"type":"field","operator":"gt","field":"people.full_name","value":1},{"type":"field","operator":"eq","field":"people.full_name","value":true}]},
				{"type":"compound","operator":"not","value":[{"type":"field","operator":"in","field":"people.full_name","value":["a","b"]}]}]}`},
	} {
		t.Run(what, func(t *testing.T) {
			for dialect, expected := range c.of {
				clause, parameters := filter.SQL(c.condition, names, dialect)
				require.Equal(t, expected, sql{clause, parameters}, dialect)
			}
			tree, err := filter.UCAST(c.condition, names, filter.UCASTPrisma)
			require.NoError(t, err)
			encoded, err := json.Marshal(tree)
			require.NoError(t, err)
			require.JSONEq(t, c.ucast, string(encoded))
		})
	}
}

func TestVariantsOfUCASTRefuseWhatTheyLack(t *testing.T) {
	column := filter.Column{Table: "users", Name: "name"}
	equal := filter.Comparison{Column: column, Operator: filter.Equal, Value: "a"}
	for what, c := range map[string]struct {
		condition filter.Condition
		variants  []filter.Variant
	}{
		"equal":      {equal, []filter.Variant{filter.UCASTAll, filter.UCASTPrisma, filter.UCASTLINQ, filter.UCASTMinimal}},
		"in":         {filter.Membership{Column: column, Values: []filter.Value{"a"}}, []filter.Variant{filter.UCASTAll, filter.UCASTPrisma, filter.UCASTLINQ}},
		"not":        {filter.Not{Condition: equal}, []filter.Variant{filter.UCASTAll, filter.UCASTPrisma}},
		"startswith": {filter.Comparison{Column: column, Operator: filter.StartsWith, Value: "a"}, []filter.Variant{filter.UCASTAll, filter.UCASTPrisma}},
	} {
		for _, variant := range []filter.Variant{filter.UCASTAll, filter.UCASTPrisma, filter.UCASTLINQ, filter.UCASTMinimal} {
			_, err := filter.UCAST(filter.Any{c.condition, equal}, nil, variant)
			if slices.Contains(c.variants, variant) {
				require.NoError(t, err, "%s in %s", what, variant)
			} else {
				require.ErrorAs(t, err, new(*filter.NotExpressible), "%s in %s", what, variant)
			}
		}
	}
}

func TestNamesThatAreNone(t *testing.T) {
	for _, names := range []filter.Names{
		{"users; DROP TABLE users": {}}, {"users": {Name: `u"`}}, {"users": {Columns: map[string]string{"name": "a b"}}}, {"users": {Columns: map[string]string{"": "a"}}},
	} {
		require.Error(t, names.Check(), "%v", names)
	}
	require.NoError(t, filter.Names{"users": {Name: "people", Columns: map[string]string{"name": "full_name"}}}.Check())
}
