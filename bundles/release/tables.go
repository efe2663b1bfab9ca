package release

import (
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// Table is a part of the policy's data that can be shown as a table: an object whose values are objects with members in
// common, or, with "value" as its only column, an object of scalars and lists.
type Table struct {
	Path    string   `json:"path"` // below data, such as "authz.regional.matrix"; "" is data itself
	Columns []string `json:"columns"`
	Rows    []Row    `json:"rows"`
}

// Row is a line of a table. A missing cell is nil.
type Row struct {
	Name  string `json:"name"`
	Cells []any  `json:"cells"`
}

// onlyColumn is the column of a table that is an object of scalars and lists.
const onlyColumn = "value"

// tablesOf finds the tables in the data. order has the members of each object in the order in which they were written, by
// the object's path.
func tablesOf(data map[string]any, order map[string][]string) []Table {
	t := tabulator{order: order, found: []Table{}}
	t.visit("", data)
	return t.found
}

type tabulator struct {
	order map[string][]string
	found []Table
}

func (t *tabulator) visit(at string, object map[string]any) {
	names := t.names(at, object)
	if columns := t.columns(at, names, object); columns != nil && at != "" { // data itself holds packages, not rows
		table := Table{Path: at, Columns: columns}
		for _, name := range names {
			row := Row{Name: name}
			for _, column := range columns {
				row.Cells = append(row.Cells, object[name].(map[string]any)[column])
			}
			table.Rows = append(table.Rows, row)
		}
		t.found = append(t.found, table)
		return
	}
	plain := Table{Path: at, Columns: []string{onlyColumn}}
	for _, name := range names {
		if _, deeper := object[name].(map[string]any); !deeper {
			plain.Rows = append(plain.Rows, Row{Name: name, Cells: []any{object[name]}})
		}
	}
	if len(plain.Rows) > 0 {
		t.found = append(t.found, plain)
	}
	for _, name := range names {
		if members, deeper := object[name].(map[string]any); deeper {
			t.visit(below(at, name), members)
		}
	}
}

// columns returns the columns of an object that is a table, or nil if it is not. In a table every value is an object, at
// least one member is in all of them, and at least half of the cells are present. A cell may be a flat object, but not a
// deeper one.
func (t *tabulator) columns(at string, rows []string, object map[string]any) []string {
	var columns []string
	filled, plain := map[string]int{}, false
	cells := 0
	for _, row := range rows {
		members, ok := object[row].(map[string]any)
		if !ok {
			return nil
		}
		for _, column := range t.names(below(at, row), members) {
			cell, isObject := members[column].(map[string]any)
			if isObject && !flat(cell) {
				return nil
			}
			plain = plain || !isObject
			if filled[column] == 0 {
				columns = append(columns, column)
			}
			filled[column]++
			cells++
		}
	}
	common := slices.ContainsFunc(columns, func(column string) bool { return filled[column] == len(rows) })
	if !common || !plain || 2*cells < len(rows)*len(columns) {
		return nil
	}
	return columns
}

func flat(object map[string]any) bool {
	for _, value := range object {
		if _, deeper := value.(map[string]any); deeper {
			return false
		}
	}
	return true
}

// names returns the members of an object, in the order in which they were written if that is known.
func (t *tabulator) names(at string, object map[string]any) []string {
	all := make([]string, 0, len(object))
	seen := map[string]bool{}
	for _, name := range t.order[at] {
		if _, there := object[name]; there && !seen[name] {
			seen[name] = true
			all = append(all, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if !seen[name] {
			all = append(all, name)
		}
	}
	return all
}

func below(at, name string) string { return strings.TrimPrefix(at+"."+name, ".") }

// largestOrdered is the size in bytes of the largest file whose order is kept: tables that people read are small.
const largestOrdered = 1 << 20

// writtenOrder returns the members of each object in the order of the data files, by the object's path.
func writtenOrder(a *bundles.Archive) map[string][]string {
	order := map[string][]string{}
	for _, f := range a.Files {
		if !bundles.IsPolicyFile(f.Name) || strings.HasSuffix(f.Name, ".rego") || f.Name == bundles.ManifestFile || len(f.Data) > largestOrdered {
			continue
		}
		if root := documentOf(f.Data); root != nil {
			at := strings.ReplaceAll(strings.TrimPrefix(path.Dir(f.Name), "."), "/", ".")
			collectOrder(order, at, root)
		}
	}
	return order
}

// documentOf parses a data file. If that fails, it returns nil, and members are sorted by name.
func documentOf(data []byte) (root *yaml.Node) {
	defer func() {
		if recover() != nil {
			root = nil
		}
	}()
	var document yaml.Node
	if yaml.Unmarshal(data, &document) != nil || len(document.Content) == 0 {
		return nil
	}
	return document.Content[0]
}

// collectOrder does not follow aliases, because they can expand without bound.
func collectOrder(order map[string][]string, at string, node *yaml.Node) {
	if node.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name := node.Content[i].Value
		order[at] = append(order[at], name)
		collectOrder(order, below(at, name), node.Content[i+1])
	}
}
