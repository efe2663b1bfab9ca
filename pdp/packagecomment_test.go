package pdp_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEveryPackageHasADocFile requires a doc.go with a package comment in each folder with Go code, and no other package
// comment in the folder.
func TestEveryPackageHasADocFile(t *testing.T) {
	for folder := range importsByPackage(t, "..") {
		names, err := filepath.Glob(filepath.Join("..", folder, "*.go"))
		require.NoError(t, err)
		commented := map[string]*ast.File{}
		for _, name := range names {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.PackageClauseOnly|parser.ParseComments)
			require.NoError(t, err)
			if file.Doc != nil {
				commented[filepath.Base(name)] = file
			}
		}
		doc := commented["doc.go"]
		if !assert.NotNil(t, doc, "%s has no doc.go with a package comment: say what the package is for, what it does not do, and where to start reading", folder) {
			continue
		}
		want := "Package " + doc.Name.Name + " "
		if doc.Name.Name == "main" {
			want = "Command " + path.Base(folder) + " "
		}
		assert.True(t, strings.HasPrefix(doc.Doc.Text(), want), "%s/doc.go must begin with %q", folder, want)
		assert.Len(t, commented, 1, "%s: the package comment belongs in doc.go alone", folder)
	}
}
