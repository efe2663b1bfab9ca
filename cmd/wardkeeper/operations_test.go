package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const operations = "cmd/wardkeeper/OPERATIONS.md"

// TestOperationsExplainsEveryWarning checks that OPERATIONS.md explains each message that is logged as a warning or an error, and
// no others.
func TestOperationsExplainsEveryWarning(t *testing.T) {
	_, section, _ := strings.Cut(documents(t)[operations], "\n## The log\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var explained []string
	for line := range strings.Lines(section) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		for _, match := range regexp.MustCompile("`(?:… )?([^`]+)`").FindAllStringSubmatch(cell, -1) {
			if strings.HasPrefix(line, "| `") {
				explained = append(explained, match[1])
			}
		}
	}
	require.Greater(t, len(explained), 20)
	messages := []string{"request"} // its level is computed
	eachCall(t, func(position token.Position, name string, args []ast.Expr) {
		switch name {
		case "Warn", "Error":
		case "WarnContext", "ErrorContext", "recovered": // the last logs a panic
			args = args[1:]
		default:
			return
		}
		if message := strings.TrimSpace(literalIn(args[0])); message != "" {
			assert.Contains(t, explained, message, "%s: explain the message in %s", position, operations)
			messages = append(messages, message)
		}
	})
	for _, message := range explained {
		assert.Contains(t, messages, message, "%s explains a message that there is not", operations)
	}
}

// TestOperationsExplainsEveryMetric checks that OPERATIONS.md explains every metric, and that no document names another.
func TestOperationsExplainsEveryMetric(t *testing.T) {
	all := documents(t)
	metrics := sourceMetrics(t)
	for _, metric := range metrics {
		assert.True(t, strings.Contains(all[operations], "| `"+metric+"` |"), "explain the metric %s in %s", metric, operations)
	}
	for name, text := range all {
		for _, metric := range metricName.FindAllString(text, -1) {
			assert.Contains(t, metrics, metric, "%s names a metric that there is not", name)
		}
	}
}

// sourceMetrics returns the names of the metrics that the product's code makes.
func sourceMetrics(t *testing.T) (metrics []string) {
	t.Helper()
	eachCall(t, func(_ token.Position, name string, args []ast.Expr) {
		if name == "factDesc" {
			metrics = append(metrics, "wardkeeper_membership_"+literalIn(args[0]))
		}
		for _, arg := range args {
			ast.Inspect(arg, func(n ast.Node) bool {
				if e, ok := n.(ast.Expr); ok {
					if text := literalIn(e); metricName.FindString(text) == text && text != "" {
						metrics = append(metrics, text)
					}
				}
				return true
			})
		}
	})
	require.Greater(t, len(metrics), 20)
	return metrics
}

var metricName = regexp.MustCompile(`\bwardkeeper_(?:build|tls|fleet|http|bundle|directory|membership|log|policy|decisions|decision|announced|readiness)_[a-z_]*[a-z]`)

// eachCall visits every call with arguments in the product's code, with the name of the function.
func eachCall(t *testing.T, visit func(position token.Position, name string, args []ast.Expr)) {
	t.Helper()
	files := token.NewFileSet()
	for _, root := range []string{".", "../../pdp", "../../bundles", "../../adapters"} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(files, path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || len(call.Args) == 0 {
					return true
				}
				switch f := call.Fun.(type) {
				case *ast.SelectorExpr:
					visit(files.Position(call.Pos()), f.Sel.Name, call.Args)
				case *ast.Ident:
					visit(files.Position(call.Pos()), f.Name, call.Args)
				}
				return true
			})
			return nil
		})
		require.NoError(t, err)
	}
}

// literalIn returns the text of a string literal, or of the last literal in a concatenation, or "".
func literalIn(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return text
		}
	case *ast.BinaryExpr:
		if text := literalIn(e.Y); text != "" {
			return text
		}
		return literalIn(e.X)
	}
	return ""
}
