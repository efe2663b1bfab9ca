package filter

import (
	"fmt"
	"slices"
)

// Names maps the policy's names of tables and columns to those of a database. The zero value changes none.
type Names map[string]Table

// Table has the names of a table and its columns in a database; "" and what is missing stay as they are.
type Table struct {
	Name    string
	Columns map[string]string
}

// Check returns an error if a name is none: see [IsName].
func (n Names) Check() error {
	for of, table := range n {
		names := []string{of}
		if table.Name != "" {
			names = append(names, table.Name)
		}
		for from, to := range table.Columns {
			names = append(names, from, to)
		}
		if i := slices.IndexFunc(names, func(name string) bool { return !IsName(name) }); i >= 0 {
			return fmt.Errorf("%.70q cannot be the name of a table or column: use letters of ASCII, digits and underscores", names[i])
		}
	}
	return nil
}

func (n Names) of(c Column) string {
	table := n[c.Table]
	if table.Name == "" {
		table.Name = c.Table
	}
	if name := table.Columns[c.Name]; name != "" {
		c.Name = name
	}
	return table.Name + "." + c.Name
}
