package bundles

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Capabilities are those of this OPA without what would make a decision depend on anything but question, facts and
// policy: no network, no clock, no randomness, no environment.
func Capabilities() *ast.Capabilities {
	caps := ast.CapabilitiesForThisVersion()
	caps.AllowNet = []string{}
	caps.Builtins = slices.DeleteFunc(caps.Builtins, func(b *ast.Builtin) bool {
		return b.IsNondeterministic() || impure(b.Name)
	})
	return caps
}

// impure names what reads the clock, the network or the process: some of it OPA does not mark, and the rest stays out
// even if it should no longer be marked.
func impure(name string) bool {
	return strings.HasPrefix(name, "net.lookup") || strings.HasPrefix(name, "io.jwt.decode_verify") ||
		strings.HasPrefix(name, "crypto.x509.parse_and_verify_certificates") ||
		name == "http.send" || name == "opa.runtime" || name == "trace"
}

// impureIn finds the function that a compile error misses, if it was taken away for not being pure.
func impureIn(text string) (name string, ok bool) {
	_, name, ok = strings.Cut(text, "undefined function ")
	if !ok {
		return "", false
	}
	known := func(b *ast.Builtin) bool { return b.Name == name }
	return name, slices.ContainsFunc(ast.CapabilitiesForThisVersion().Builtins, known)
}
