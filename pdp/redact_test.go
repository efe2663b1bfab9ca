package pdp

import (
	"errors"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/stretchr/testify/require"
)

// Errors of built-in functions quote the value on which the function failed.
func TestErrorsOfBuiltInsAreRedacted(t *testing.T) {
	at := ast.NewLocation([]byte("x"), "app.rego", 7, 3)
	err := redact(&topdown.Error{Code: topdown.BuiltinErr, Message: `to_number: invalid syntax "s3cret"`, Location: at})
	require.NotContains(t, err.Error(), "s3cret")
	require.Contains(t, err.Error(), "eval_builtin_error")
	require.Contains(t, err.Error(), "app.rego:7")
	conflict := &topdown.Error{Code: topdown.ConflictErr, Message: "complete rules must not produce multiple outputs"}
	require.Equal(t, error(conflict), redact(conflict))
	other := errors.New("other")
	require.Equal(t, other, redact(other))
}
