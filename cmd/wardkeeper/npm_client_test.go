package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// appPolicy allows, fails or is undefined, depending on the input.
const appPolicy = `package app

decision := {"allow": false, "reasons": ["Only readers may."]} if not input.who

decision := {"allow": true} if input.who == "reader"

decision := {"allow": "yes"} if input.who == "broken"

limits := {"pages": [10, 20]}
`

// The test runs a script that uses @open-policy-agent/opa as applications do.
func TestOPAsClientFromNPM(t *testing.T) {
	skipIfShort(t)
	t.Parallel()
	dir := installPackages(t, "../../testdata/npm", "client.mjs")
	policies := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(policies, "app.rego"), []byte(appPolicy), 0o600))
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte(testToken+"\n"), 0o600))
	administration := startServer(t, "--directory", goldenDirectories+"/sample.yaml", "--token-file", token)
	app := startServer(t, "--bundle", policies, "--decision", "app/decision", "--token-file", token)

	node := exec.Command("node", "client.mjs")
	node.Dir = dir
	node.Env = append(os.Environ(), "ADMINISTRATION="+administration.url, "APP="+app.url, "TOKEN="+testToken)
	var failures strings.Builder
	node.Stderr = &failures
	out, err := node.Output()
	require.NoError(t, err, failures.String())
	var outcomes map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(out, &outcomes), "%s", out)
	for step, want := range clientOutcomes {
		require.JSONEq(t, want, string(outcomes[step]), step)
	}
	require.Len(t, outcomes, len(clientOutcomes))
}

// installPackages copies files of a folder and installs the packages of its package-lock.json.
func installPackages(t *testing.T, from string, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range append(files, "package.json", "package-lock.json") {
		data, err := os.ReadFile(filepath.Join(from, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	out, err := install.CombinedOutput()
	require.NoError(t, err, "npm, which comes with Node.js, is needed: %s", out)
	return dir
}

const (
	withObligation = `{"allow": true, "obligations": [
		{"id": "REG-W1/multiple_locations", "type": "custom", "properties": {"action": "confirm", "cause": "multiple_locations"}}]}`
	withReasons = `{
		"allow": false,
		"reasons": [{"code": "other_location", "rule": "REG-10",
			"message": "This cannot be done for that location from where you are working."}],
		"advice": [{"code": "switch_location", "rule": "ALL-11", "locations": ["abc", "metro"],
			"message": "This can be done from another of your locations."}]}`
	noFacts = `{"error": "ClientError", "code": "invalid_parameter",
		"message": "The input has a member \"facts\": leave it out, for facts come from the directory alone."}`
	noEntry   = `{"error": "SDKError", "status": 401}`
	illShaped = `{"error": "ServerError", "code": "internal_error", "message": "The policy's decision is malformed."}`
)

// clientOutcomes are the expected results of the client.
var clientOutcomes = map[string]string{
	"allowed with an obligation":     withObligation,
	"denied with reasons":            withReasons,
	"converted":                      `true`,
	"an object that gives its input": `true`,
	"another rule has no facts":      `false`,
	"without input":                  `false`,
	"the default":                    withObligation,
	"the default denies":             `false`,
	"batch":                          `{"one": true, "two": false}`,
	"undefined":                      `true`,
	"data that no rule gives":        `true`,
	"facts of the caller's":          noFacts,
	"facts by default":               noFacts,
	"facts in a batch":               noFacts,
	"a wrong token":                  noEntry,
	"a wrong token in a batch":       noEntry,
	"provenance":                     `{"allow": true, "bundles": ["authz"], "versioned": "string"}`,
	"healthy":                        `true`,
	"healthy with a policy":          `true`,
	"a policy of one's own":          `{"allow": true}`,
	"a value beneath a rule":         `20`,
	"a package":                      `{"decision": {"allow": true}, "limits": {"pages": [10, 20]}}`,
	"a decision that is none":        illShaped,
	"a default that is none":         illShaped,
	"a filter":                       `{"query": "WHERE users.covered_by = $1", "parameters": ["metro"]}`,
	"a filter for Prisma":            `{"covered_by": {"equals": "metro"}}`,
	"a filter for nobody":            `{"error": "Error", "message": "No result for target ucastPrisma"}`,
	"filters":                        `{"sqlite": {"query": "WHERE 1 = 0", "parameters": []}}`,
	"a default that is undefined":    `{"error": "ClientError", "code": "undefined_document", "message": "The policy does not define this for this input."}`,
	"a batch of some failures":       `{"good": {"allow": true}, "bad": {"httpStatusCode": "500", "code": "internal_error", "message": "The policy's decision is malformed."}}`,
	"a mixed batch refused":          `{"error": "Object", "status": "500", "code": "internal_error", "message": "The policy's decision is malformed."}`,
	"a batch of failures":            `{"error": "BatchServerError", "responses": {"bad": "internal_error", "worse": "internal_error"}}`,
}
