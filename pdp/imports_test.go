package pdp_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/wardkeeper/wardkeeper"

// mayImport reports whether a package of this module may import another.
func mayImport(from, to string) bool {
	switch {
	case to == "pdp/deadline": // a leaf
		return from == "pdp" || from == "pdp/httpapi"
	case to == "pdp/decisionpart": // a leaf
		return from == "pdp/decisionlog" || from == "pdp/decisionrecord"
	case to == "pdp/loopback": // a leaf
		return slices.Contains([]string{"adapters/identity", "adapters/routes", "pdp/decisionsink", "pdp/membership/httporigin"}, from) || strings.HasPrefix(from, "cmd/")
	case to == "pdp/outage": // a leaf
		return from == "adapters/identity" || from == "bundles/follow" || strings.HasPrefix(from, "pdp/membership/") || strings.HasPrefix(from, "cmd/")
	case to == "pdp/suggest": // a leaf
		return from == "pdp/proof" || strings.HasPrefix(from, "cmd/")
	case to == "pdp/filter": // a leaf
		return from == "pdp" || strings.HasPrefix(from, "pdp/httpapi") || strings.HasPrefix(from, "cmd/")
	case to == "pdp/tracing": // a leaf
		return slices.Contains([]string{"pdp", "pdp/httpapi", "pdp/membership/cache", "pdp/membership/httporigin", "adapters/extauthz"}, from) || strings.HasPrefix(from, "cmd/")
	case to == "pdp/fleetkey": // almost a leaf
		return slices.Contains([]string{"pdp", "pdp/guard", "pdp/paging", "pdp/membership/cache", "pdp/membership/redisstore"}, from) || strings.HasPrefix(from, "cmd/")
	case from == "pdp/fleetkey":
		return to == "pdp/rotation"
	case to == "pdp/rotation": // a leaf
		return from == "adapters/identity" || from == "bundles" || from == "bundles/follow" || strings.HasPrefix(from, "pdp/") || strings.HasPrefix(from, "cmd/")
	case from == "bundles/internal/bundletest": // shared by the tests of bundles
		return to == "bundles" || to == "policies"
	case to == "bundles/input": // a leaf
		return from == "bundles" || from == "bundles/plan" || from == "bundles/release" || from == "pdp" || from == "pdp/facts" || from == "pdp/decisionrecord"
	case to == "bundles/plan": // release compiles the tests of a policy
		return from == "bundles" || from == "bundles/release"
	case from == "bundles/plan" || from == "bundles/input":
		return false
	case strings.HasPrefix(from, "bundles/"): // follow and release do not need each other: cmd connects them
		return to == "bundles" || to == "bundles/internal/atomicfile"
	case from == "policies" || from == "pdp/decisionpart" || from == "pdp/rotation" || from == "pdp/outage" || from == "pdp/loopback" || from == "pdp/tracing" || from == "pdp/filter" || from == "pdp/suggest" || from == "pdp/decisionlog" || from == "pdp/deadline" || from == "bundles" || from == "pdp/authzen":
		return false
	case from == "pdp/decisionformat":
		return to == "pdp/decisionrecord"
	case from == "pdp/decisionsink":
		return to == "pdp/decisionformat" || to == "pdp/decisionlog"
	case from == "pdp/facts":
		return to == "pdp/authzen"
	case from == "pdp/guard/guardtest": // shared by the tests of what keeps claims
		return to == "pdp/guard"
	case from == "pdp/paging" || from == "pdp/guard" || from == "pdp/counterfactual":
		return to == "pdp/authzen" || to == "pdp/facts"
	case from == "pdp":
		return slices.Contains([]string{"bundles", "pdp/authzen", "pdp/counterfactual", "pdp/deadline", "pdp/facts", "pdp/guard", "pdp/paging"}, to)
	case from == "pdp/httpapi" && strings.HasPrefix(to, "pdp/httpapi/"):
		return true // its parts, which import neither it nor each other
	case strings.HasPrefix(from, "pdp/membership"):
		return mayImportInMembership(from, to)
	case from == "pdp/proof/diagram": // a leaf
		return false
	case strings.HasPrefix(from, "pdp/proof"): // world is built of diagram, explore of both
		return slices.Contains([]string{"pdp", "pdp/authzen", "pdp/facts", "pdp/proof/diagram"}, to) ||
			to == "pdp/proof/world" && from != "pdp/proof/world" || to == "pdp/proof/explore" && from == "pdp/proof"
	case strings.HasPrefix(from, "pdp/"):
		return to == "pdp" || to == "pdp/authzen" || to == "pdp/facts"
	case strings.HasPrefix(from, "adapters/"):
		return mayImportInAdapters(from, to)
	case strings.HasPrefix(from, "cmd/"):
		return !strings.HasPrefix(to, "cmd/") || strings.HasPrefix(to, "cmd/wardkeeper/internal/")
	}
	return false
}

// mayImportInMembership lets each package below the contract import the contract and the records, but not another such
// package or the cache. The packages that tests share have their own rules.
func mayImportInMembership(from, to string) bool {
	const contract = "pdp/membership"
	if to == "pdp" || to == "pdp/facts" {
		return true
	}
	switch from {
	case contract:
		return to == "pdp"
	case contract + "/redisstore":
		return to == contract || to == contract+"/record" || to == "pdp/guard"
	case contract + "/record":
		return to == "pdp" || to == contract
	case contract + "/fixture":
		return to == "pdp" || to == contract+"/record" || to == contract+"/sampledata"
	case contract + "/origintest":
		return to == "pdp" || to == contract || slices.Contains([]string{"record", "directory", "fixture"}, path.Base(to))
	case contract + "/cache":
		return to == "pdp" || to == contract || to == contract+"/record" || to == contract+"/freshness"
	}
	return to == "pdp" || to == "pdp/authzen" || to == contract || to == contract+"/record"
}

// mayImportInAdapters lets each adapter import the enforcement point, the route file and the identities, but not another
// adapter. Only adapters/inprocess links the engine.
func mayImportInAdapters(from, to string) bool {
	if to == "pdp/authzen" {
		return true
	}
	switch from {
	case "adapters/pep", "adapters/identity", "adapters/conformance/decisionpoint":
		return false
	case "adapters/client":
		return to == "adapters/pep"
	case "adapters/routes":
		return to == "adapters/identity"
	case "adapters/inprocess":
		return to == "adapters/pep" || to == "pdp"
	case "adapters/conformance": // it sends the hostile corpus to applications, and says what their route files let a request mean
		return slices.Contains([]string{"adapters/conformance/decisionpoint", "adapters/hostile", "adapters/routes"}, to)
	}
	shared := []string{"adapters/pep", "adapters/routes", "adapters/identity"}
	if from == "adapters/hostile" { // it tests proxies that use forward auth
		shared = append(shared, "adapters/forwardauth")
	}
	if from != "adapters/check" {
		shared = append(shared, "adapters/check")
	}
	if from == "adapters/conformance/application" {
		shared = append(shared, "adapters/client")
	}
	if front, isSample := strings.CutSuffix(from, "/sample"); isSample {
		return to == front || to == "adapters/conformance/application"
	}
	return slices.Contains(shared, to)
}

// restricted lists modules that only the named packages may import.
var restricted = map[string][]string{
	"github.com/labstack/echo":          {"pdp/httpapi", "adapters/echo", "adapters/echo/sample"},
	"github.com/redis/go-redis":         {"pdp/membership/redisstore", "pdp/membership/servertest"},
	"github.com/alicebob/miniredis":     {"pdp/membership/servertest"},
	"github.com/sony/gobreaker":         {"pdp/membership/redisstore", "pdp/membership/httporigin", "pdp/membership/pgorigin"},
	"github.com/jackc/pgx":              {"pdp/membership/pgorigin", "pdp/membership/servertest"},
	"google.golang.org/grpc":            {"adapters/grpc", "adapters/extauthz", "adapters/extauthz/envoytest"},
	"github.com/envoyproxy/":            {"adapters/extauthz", "adapters/extauthz/envoytest"},
	"go.opentelemetry.io/otel":          {"pdp/tracing", "cmd/wardkeeper/internal/traces"},
	"github.com/open-policy-agent/opa/": {"bundles", "bundles/input", "bundles/plan", "bundles/follow", "bundles/mutant", "bundles/release", "bundles/internal/bundletest", "pdp", "pdp/facts", "pdp/filter", "pdp/proof", "pdp/proof/diagram", "pdp/proof/world", "pdp/proof/explore", "pdp/decisionrecord"},
}

func TestPackagesImportOnlyWhatTheyMay(t *testing.T) {
	checked := 0
	for from, imports := range importsByPackage(t, "..") {
		for _, imported := range imports {
			checked++
			if to, ours := strings.CutPrefix(imported, module+"/"); ours {
				assert.True(t, mayImport(from, to), "%s must not import %s", from, to)
			}
			if path, opa := strings.CutPrefix(imported, "github.com/open-policy-agent/opa/"); opa {
				assert.True(t, strings.HasPrefix(path, "v1/"), "%s must not import %s: outside v1, OPA defaults to the old Rego", from, imported)
			}
			for dependency, allowed := range restricted {
				if strings.HasPrefix(imported, dependency) {
					assert.Contains(t, allowed, from, "%s must not import %s", from, imported)
				}
			}
		}
	}
	assert.Greater(t, checked, 50)
}

// importsByPackage returns the imports of all files that are not tests, by folder.
func importsByPackage(t *testing.T, root string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || entry.Name() == "node_modules"):
			return filepath.SkipDir
		case !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		folder = filepath.ToSlash(folder)
		imports := found[folder]
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports = append(imports, imported)
		}
		found[folder] = imports // a package without imports has an entry too
		return nil
	})
	require.NoError(t, err)
	for _, folder := range []string{"policies", "bundles", "pdp", "pdp/authzen", "pdp/membership", "pdp/httpapi", "cmd/wardkeeper"} {
		require.Contains(t, found, folder)
	}
	return found
}

// The rules must not allow too much.
func TestImportRulesAreApplied(t *testing.T) {
	for _, allowed := range [][2]string{
		{"pdp", "bundles"}, {"pdp", "pdp/authzen"}, {"pdp/httpapi", "pdp"}, {"pdp/membership", "pdp"}, {"pdp/membership/pgorigin", "pdp/membership"}, {"pdp/membership/cache", "pdp/membership/freshness"},
		{"pdp/httpapi", "pdp/httpapi/opawire"}, {"pdp/httpapi/opawire", "pdp/authzen"},
		{"pdp", "pdp/facts"}, {"pdp", "pdp/paging"}, {"pdp", "pdp/guard"}, {"pdp", "pdp/counterfactual"}, {"pdp/counterfactual", "pdp/facts"}, {"pdp/guard", "pdp/fleetkey"}, {"pdp/membership/redisstore", "pdp/guard"}, {"pdp", "pdp/deadline"}, {"pdp/httpapi", "pdp/deadline"}, {"pdp/paging", "pdp/facts"}, {"pdp/facts", "pdp/authzen"}, {"pdp/membership/record", "pdp/facts"},
		{"adapters/echo", "pdp/authzen"}, {"adapters/echo", "adapters/routes"}, {"adapters/client", "adapters/pep"}, {"adapters/extauthz", "adapters/check"}, {"adapters/inprocess", "pdp"}, {"adapters/echo/sample", "adapters/echo"}, {"adapters/echo/sample", "adapters/conformance/application"}, {"adapters/conformance/application", "adapters/client"}, {"cmd/wardkeeper", "policies"}, {"cmd/wardkeeper", "pdp/httpapi"},
		{"bundles", "pdp/rotation"}, {"pdp/membership/pgorigin", "pdp/rotation"}, {"cmd/wardkeeper", "pdp/rotation"},
		{"bundles/follow", "pdp/outage"}, {"pdp/membership/freshness", "pdp/outage"}, {"pdp/httpapi", "pdp/tracing"},
		{"pdp/decisionlog", "pdp/rotation"}, {"cmd/wardkeeper", "pdp/decisionlog"},
		{"pdp/decisionformat", "pdp/decisionrecord"}, {"pdp/decisionsink", "pdp/decisionlog"}, {"pdp/decisionsink", "pdp/rotation"},
		{"cmd/wardkeeper", "cmd/wardkeeper/internal/config"},
		{"bundles/follow", "bundles"}, {"bundles/follow", "pdp/rotation"}, {"bundles/release", "bundles"},
		{"bundles/release", "bundles/internal/atomicfile"}, {"pdp/decisionrecord", "pdp"}, {"pdp/decisionrecord", "bundles/input"}, {"cmd/wardkeeper", "bundles/follow"},
	} {
		assert.True(t, mayImport(allowed[0], allowed[1]), "%v", allowed)
	}
	for _, refused := range [][2]string{
		{"policies", "pdp"}, {"bundles", "policies"}, {"bundles", "pdp"}, {"bundles", "bundles/follow"}, {"bundles/follow", "bundles/release"},
		{"bundles/release", "bundles/follow"}, {"bundles/release", "pdp/rotation"}, {"bundles/follow", "bundles/internal/bundletest"},
		{"bundles/follow", "pdp"}, {"pdp", "bundles/follow"}, {"pdp/authzen", "pdp"}, {"pdp/facts", "pdp"}, {"pdp/paging", "pdp"}, {"pdp/facts", "pdp/paging"}, {"pdp/guard", "pdp"}, {"pdp/counterfactual", "pdp"}, {"pdp/httpapi", "pdp/guard"}, {"pdp/membership/cache", "pdp/guard"}, {"pdp/httpapi", "pdp/paging"}, {"pdp/facts", "bundles"}, {"pdp", "policies"},
		{"pdp", "pdp/membership"}, {"pdp/membership", "pdp/membership/record"}, {"pdp/membership/cache", "pdp/membership/redisstore"},
		{"pdp/membership/pgorigin", "pdp/membership/httporigin"}, {"pdp/membership/directory", "pdp/membership/cache"}, {"pdp/httpapi", "pdp/membership"}, {"pdp/httpapi", "bundles"}, {"adapters/echo", "pdp"},
		{"pdp/httpapi/opawire", "pdp/httpapi"}, {"pdp/httpapi/opawire", "pdp/httpapi/connlimit"}, {"pdp", "pdp/httpapi/opawire"},
		{"adapters/echo", "adapters/client"}, {"adapters/echo", "adapters/nethttp"}, {"adapters/extauthz", "adapters/forwardauth"}, {"adapters/extauthz", "pdp"}, {"adapters/echo/sample", "adapters/nethttp"}, {"adapters/echo", "adapters/conformance/application"}, {"adapters/pep", "adapters/client"}, {"adapters/client", "pdp"}, {"adapters/identity", "adapters/routes"}, {"pdp", "cmd/wardkeeper"}, {"pdp", "cmd/wardkeeper/internal/config"}, {"tools", "pdp"},
		{"pdp/rotation", "pdp"}, {"pdp/rotation", "bundles"}, {"policies", "pdp/rotation"}, {"pdp", "pdp/rotation"}, {"pdp/deadline", "pdp"}, {"pdp/facts", "pdp/deadline"},
		{"pdp/outage", "pdp"}, {"pdp/tracing", "pdp"}, {"pdp/facts", "pdp/tracing"},
		{"pdp/decisionlog", "pdp"}, {"pdp/decisionlog", "pdp/authzen"},
		{"pdp/decisionformat", "pdp/decisionlog"}, {"pdp/decisionsink", "pdp/decisionrecord"}, {"pdp/decisionlog", "pdp/decisionsink"},
		{"pdp/decisionrecord", "pdp/decisionlog"}, {"pdp/decisionrecord", "bundles"}, {"pdp", "pdp/decisionrecord"},
	} {
		assert.False(t, mayImport(refused[0], refused[1]), "%v", refused)
	}
}

// The author of a new entry must decide where it belongs. Entries that git ignores are skipped.
func TestTopLevelEntriesAreListed(t *testing.T) {
	agreed := []string{"cmd", "policies", "pdp", "adapters", "bundles", "testdata", "go.mod", "go.sum", "Makefile", "README.md",
		".ci", ".gitignore", "LICENSE", ".git"}
	entries, err := os.ReadDir("..")
	require.NoError(t, err)
	ignored := ignoredNames(t)
	for _, entry := range entries {
		if slices.ContainsFunc(ignored, func(pattern string) bool { ok, err := path.Match(pattern, entry.Name()); return ok && err == nil }) {
			continue
		}
		assert.Contains(t, agreed, entry.Name())
	}
}

// ignoredNames returns the patterns of .gitignore that can match at the top level.
func ignoredNames(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile("../.gitignore")
	require.NoError(t, err)
	var names []string
	for line := range strings.Lines(string(data)) {
		if line = strings.Trim(strings.TrimSpace(line), "/"); line != "" && !strings.HasPrefix(line, "#") {
			names = append(names, line)
		}
	}
	return names
}
