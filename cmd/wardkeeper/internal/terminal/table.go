package terminal

import (
	"strings"
	"unicode/utf8"
)

// maxCell is the maximum width of a cell in characters. Longer text continues in the next line.
const maxCell = 60

// Table aligns rows in columns, each line indented by two. The header may be nil.
func Table(header []string, rows [][]string) string {
	if header != nil {
		rule := make([]string, len(header))
		for i, name := range header {
			rule[i] = strings.Repeat("-", utf8.RuneCountInString(Printable(name)))
		}
		rows = append([][]string{header, rule}, rows...)
	}
	lines := [][]string{}
	widths := map[int]int{}
	for _, row := range rows {
		for _, line := range wrapRow(row) {
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

// wrapRow splits a row into the lines it takes.
func wrapRow(row []string) [][]string {
	var lines [][]string
	for i, cell := range row {
		for n, part := range wrap(Printable(cell)) {
			if n == len(lines) {
				lines = append(lines, make([]string, len(row)))
			}
			lines[n][i] = part
		}
	}
	return lines
}

// wrap breaks text between words, or within a word that is wider than a cell.
func wrap(text string) []string {
	var lines []string
	line := []rune(text)
	for len(line) > maxCell {
		at := maxCell
		for i := maxCell; i > 0; i-- {
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
