package bundles

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Capabilities returns OPA's capabilities without the functions that would let a decision depend on anything but the
// question, the facts and the policy: those that use the network, the clock, randomness or the environment.
func Capabilities() *ast.Capabilities {
	caps := ast.CapabilitiesForThisVersion()
	caps.AllowNet = []string{}
	caps.Builtins = slices.DeleteFunc(caps.Builtins, func(b *ast.Builtin) bool {
		return b.IsNondeterministic() || impure(b.Name)
	})
	return caps
}

// impure reports whether a built-in function reads the clock, the network or the process. OPA marks most of them as
// nondeterministic, but not all, and its marks could change.
func impure(name string) bool {
	return strings.HasPrefix(name, "net.lookup") || strings.HasPrefix(name, "io.jwt.decode_verify") ||
		strings.HasPrefix(name, "crypto.x509.parse_and_verify_certificates") ||
		name == "http.send" || name == "opa.runtime" || name == "trace"
}

// impureIn returns the function that a compile error reports as undefined, if it was removed for being impure.
func impureIn(text string) (name string, ok bool) {
	_, name, ok = strings.Cut(text, "undefined function ")
	if !ok {
		return "", false
	}
	known := func(b *ast.Builtin) bool { return b.Name == name }
	return name, slices.ContainsFunc(ast.CapabilitiesForThisVersion().Builtins, known)
}
