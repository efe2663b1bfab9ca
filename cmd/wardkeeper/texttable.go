package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/wardkeeper/wardkeeper/bundles/release"
)

// widestCell is how many characters of a cell are in one line: a longer one goes on in the next.
const widestCell = 60

// tableText is a table of a policy for people: a line a row, a column a column.
func tableText(t release.Table) string {
	head := append([]string{""}, t.Columns...)
	rows := make([][]string, 0, len(t.Rows))
	for _, row := range t.Rows {
		cells := []string{row.Name}
		for _, cell := range row.Cells {
			cells = append(cells, cellText(cell))
		}
		rows = append(rows, cells)
	}
	return aligned(head, rows)
}

// cellText is a value in words. A cell that is not there is empty.
func cellText(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		all := make([]string, 0, len(v))
		for _, element := range v {
			all = append(all, innerText(element))
		}
		return strings.Join(all, ", ")
	case map[string]any:
		all := make([]string, 0, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			all = append(all, name+": "+innerText(v[name]))
		}
		return strings.Join(all, ", ")
	}
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(data)
}

// innerText is a value within a cell: what has parts of its own is in brackets.
func innerText(value any) string {
	switch value.(type) {
	case []any:
		return "[" + cellText(value) + "]"
	case map[string]any:
		return "{" + cellText(value) + "}"
	case nil:
		return "null"
	}
	return cellText(value)
}

// aligned sets rows in columns, each line two blanks in, and every cell fit for a terminal. head may be nil.
func aligned(head []string, rows [][]string) string {
	if head != nil {
		rule := make([]string, len(head))
		for i, name := range head {
			rule[i] = strings.Repeat("-", utf8.RuneCountInString(printable(name)))
		}
		rows = append([][]string{head, rule}, rows...)
	}
	lines := [][]string{}
	widths := map[int]int{}
	for _, row := range rows {
		for _, line := range folded(row) {
			for i, cell := range line {
				widths[i] = max(widths[i], utf8.RuneCountInString(cell))
			}
			lines = append(lines, line)
		}
	}
	var out strings.Builder
	for _, line := range lines {
		var text strings.Builder
		for i, cell := range line {
			text.WriteString("  " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
		}
		out.WriteString(strings.TrimRight(text.String(), " ") + "\n")
	}
	return out.String()
}

// folded is a row as the lines that it takes.
func folded(row []string) [][]string {
	var lines [][]string
	for i, cell := range row {
		for n, part := range fold(printable(cell)) {
			if n == len(lines) {
				lines = append(lines, make([]string, len(row)))
			}
			lines[n][i] = part
		}
	}
	return lines
}

// fold breaks a text between words, and within one only where that is wider than a cell.
func fold(text string) []string {
	var lines []string
	line := []rune(text)
	for len(line) > widestCell {
		at := widestCell
		for i := widestCell; i > 0; i-- {
			if line[i] == ' ' {
				at = i
				break
			}
		}
		lines = append(lines, strings.TrimRight(string(line[:at]), " "))
		line = []rune(strings.TrimLeft(string(line[at:]), " "))
	}
	return append(lines, string(line))
}
