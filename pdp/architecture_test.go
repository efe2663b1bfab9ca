package pdp_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	// linkedFunctions matches a link to a Go file and the names in code style that follow it: [x.go](x.go) `a` → `b`, `c`.
	linkedFunctions = regexp.MustCompile("\\]\\(([^)]+\\.go)\\)((?:(?:\\s|→|,|and|or)*`\\w+`)+)")
	codeName        = regexp.MustCompile("`(\\w+)`")
)

// Each function and type that ARCHITECTURE.md names after a link to a file must be declared in that file.
func TestArchitectureNamesExistingFunctions(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	require.NoError(t, err)
	found := 0
	for _, link := range linkedFunctions.FindAllStringSubmatch(string(text), -1) {
		declared := declaredIn(t, link[1])
		for _, name := range codeName.FindAllStringSubmatch(link[2], -1) {
			found++
			require.True(t, slices.Contains(declared, name[1]), "ARCHITECTURE.md names %s of %s, which does not declare it: correct one of them", name[1], link[1])
		}
	}
	require.Greater(t, found, 30, "the names are not recognized any more: see linkedFunctions")
}

func declaredIn(t *testing.T, path string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	var names []string
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			names = append(names, d.Name.Name)
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if s, ok := s.(*ast.TypeSpec); ok {
					names = append(names, s.Name.Name)
				}
			}
		}
	}
	return names
}
