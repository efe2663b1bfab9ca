package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// mutantsOf writes a file with a change of program.sh for each duty.
func mutantsOf(t *testing.T, change func(duty string) string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("mutants:\n")
	for i := range contractDuties {
		duty := fmt.Sprintf("PEP-%d", i+1)
		fmt.Fprintf(&b, "  - {duty: %s, file: program.sh, %s}\n", duty, change(duty))
	}
	path := filepath.Join(t.TempDir(), "mutants.yaml")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

// denying lets the application read a route file that denies almost everything, which breaks every duty.
const denying = `old: "routes=$ROUTES_FILE", new: "routes=closed.yaml"`

func TestMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and drives other programs")
	}
	t.Parallel()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "program.sh"),
		[]byte("#!/bin/sh\nset -e\n[ -e built ]\nroutes=$ROUTES_FILE\nROUTES_FILE=$routes exec "+build(t, "nethttp", nil)+"\n"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "closed.yaml"),
		[]byte("version: 1\nroutes:\n  - {path: /done, methods: [GET], public: true}\n"), 0o600))
	for name, c := range map[string]struct {
		change func(duty string) string
		build  string
		status int
		want   []string
	}{
		"one is not found": {func(duty string) string {
			if duty == "PEP-14" {
				return `old: "set -e", new: "set -eu"`
			}
			return denying
		}, `for copy; do touch "$copy/built"; done`, statusBreaks, []string{"FAIL  PEP-14  program.sh", "ok    PEP-13  program.sh", "13 mutants found, 1 not found"}},
		"a text that is missing": {func(string) string { return `old: absent, new: x` }, "", statusFailed, []string{`"absent" is in the file 0 times`}},
		"a text that is twice":   {func(string) string { return `old: routes, new: x` }, "", statusFailed, []string{`"routes" is in the file 2 times`}},
		"a build that fails":     {func(string) string { return denying }, "echo no compiler; false", statusFailed, []string{"cannot be built", "no compiler"}},
		"a program that ends":    {func(string) string { return denying }, "", statusFailed, []string{"the sample application has ended"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			status := command(t.Context(), []string{"-v", "-mutants", mutantsOf(t, c.change), "-in", folder, "-build", c.build, "--", "./program.sh"}, &out, &out)
			assert.Equal(t, c.status, status, out.String())
			for _, want := range c.want {
				assert.Contains(t, out.String(), want)
			}
		})
	}
}

func TestFilesOfMutants(t *testing.T) {
	complete, err := os.ReadFile(mutantsOf(t, func(string) string { return "old: a, new: b" }))
	require.NoError(t, err)
	for name, c := range map[string]struct{ old, new, want string }{
		"a duty without a mutant": {"duty: PEP-14,", "duty: PEP-1,", "no mutant breaks PEP-14"},
		"no such duty":            {"duty: PEP-14,", "duty: PEP-15,", `no duty "PEP-15"`},
		"another folder":          {"file: program.sh", "file: ../program.sh", "a file below the folder"},
		"no change":               {"new: b", "new: a", "differs from the new one"},
		"an unknown key":          {"duty: PEP-14,", "duty: PEP-14, more: 1,", "field more not found"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "mutants.yaml")
			require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(string(complete), c.old, c.new)), 0o600))
			var out strings.Builder
			assert.Equal(t, statusFailed, command(t.Context(), []string{"-mutants", path, "--", "true"}, &out, &out))
			assert.Contains(t, out.String(), c.want)
		})
	}
	contract, err := os.ReadFile("../CONTRACT.md")
	require.NoError(t, err)
	assert.Len(t, regexp.MustCompile(`(?m)^\*\*PEP-\d+\.`).FindAllString(string(contract), -1), contractDuties)
}
