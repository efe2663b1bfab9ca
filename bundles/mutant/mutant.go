package mutant

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// Mutant is one change of one file of a policy.
type Mutant struct {
	Name   string // of the file
	Line   int    // from 1
	At     string // the rule, or the path of the cell below the file's folder
	Change string // in words, with the text before and after

	apply func() ([]byte, error)
}

// File returns the changed file.
func (m *Mutant) File() (bundles.File, error) {
	data, err := m.apply()
	return bundles.File{Name: m.Name, Data: data}, err
}

// Of returns the mutants of the files of a policy, in the order of files and lines. Tests and the manifest have none. Some mutants
// may not compile. It fails if a file cannot be parsed.
func Of(files []bundles.File) ([]Mutant, error) {
	modules, err := parse(files)
	if err != nil {
		return nil, err
	}
	seen := constantsOf(modules)
	var all []Mutant
	for _, m := range modules {
		all = append(all, m.mutants(seen)...)
	}
	for _, f := range files {
		if strings.HasPrefix(path.Base(f.Name), "data.") {
			found, err := ofTable(f)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.Name, err)
			}
			all = append(all, found...)
		}
	}
	slices.SortStableFunc(all, func(a, b Mutant) int {
		if a.Name != b.Name {
			return strings.Compare(a.Name, b.Name)
		}
		return a.Line - b.Line
	})
	return all, nil
}

// column names what kind of value stands in a place, such as what is compared with input.action.name: a constant is swapped with
// another of its column, which is a likelier mistake than one that occurs nowhere.
type column string

// columns has the values of each column, sorted.
type columns map[column][]string

func (c columns) add(in column, text string) {
	if i, found := slices.BinarySearch(c[in], text); !found {
		c[in] = slices.Insert(c[in], i, text)
	}
}

// other returns another value of the column, or one that occurs nowhere.
func (c columns) other(in column, text string) string {
	all := c[in]
	i, found := slices.BinarySearch(all, text)
	if !found || len(all) < 2 {
		return text + "_"
	}
	return all[(i+1)%len(all)]
}

// maxShown bounds how much of a text a mutant quotes, in runes.
const maxShown = 90

// quote returns a text on one line, in backquotes.
func quote(text string) string {
	line := []rune(strings.Join(strings.Fields(text), " "))
	if len(line) > maxShown {
		line = append(line[:maxShown:maxShown], []rune("...")...)
	}
	return "`" + string(line) + "`"
}
