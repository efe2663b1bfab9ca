// Package policies holds the built-in policy, embedded in the binary: the Rego of the four models, their tables and the
// JSON Schema of the input. It decides nothing itself: package bundles compiles the files that [Files] returns, and package
// pdp evaluates them. DOMAIN.md specifies the decisions and README.md says how to change them; in the Rego, start reading at
// authz/authz.rego.
package policies
