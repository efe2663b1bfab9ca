package client_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A program must not link what it does not use: the engine, or the framework of another application.
func TestAdaptersStayThin(t *testing.T) {
	const (
		opa    = "github.com/open-policy-agent/opa/"
		echo   = "github.com/labstack/echo/"
		grpc   = "google.golang.org/grpc"
		engine = "github.com/wardkeeper/wardkeeper/pdp "
		jwx    = "github.com/lestrrat-go/jwx/"
	)
	for packages, without := range map[string][]string{
		"client pep":    {opa, echo, grpc, engine, jwx, "github.com/wardkeeper/wardkeeper/adapters/routes"},
		"nethttp":       {opa, echo, grpc, engine},
		"echo":          {opa, grpc, engine},
		"grpc identity": {opa, echo, engine, "github.com/wardkeeper/wardkeeper/adapters/routes"},
	} {
		args := []string{"list", "-deps"}
		for name := range strings.FieldsSeq(packages) {
			args = append(args, "github.com/wardkeeper/wardkeeper/adapters/"+name)
		}
		out, err := exec.Command("go", args...).Output()
		require.NoError(t, err)
		for _, module := range without {
			for dependency := range strings.Lines(string(out)) {
				assert.False(t, strings.HasPrefix(strings.TrimSpace(dependency)+" ", module), "%s must not link %s", packages, dependency)
			}
		}
	}
}
