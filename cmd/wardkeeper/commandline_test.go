package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/httporigin"
)

func TestHelpHasUsageAndExamples(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{}, {"--help"}, {"serve", "--help"}, {"help"}, {"help", "serve"}, {"help", "directory", "check"}, {"ask", "--help"}, {"explain", "--help"}, {"directory"}, {"directory", "--help"},
		{"directory", "check", "--help"}, {"directory", "generate", "--help"}, {"directory", "openapi", "--help"}, {"version", "--help"},
		{"directory", "import", "--help"}, {"directory", "schema", "--help"},
		{"bundle"}, {"bundle", "--help"}, {"bundle", "build", "--help"}, {"bundle", "sign", "--help"}, {"bundle", "verify", "--help"},
		{"bundle", "inspect", "--help"}, {"bundle", "release", "--help"}, {"help", "bundle", "build"},
		{"routes"}, {"routes", "check", "--help"}, {"routes", "explain", "--help"}, {"routes", "schema", "--help"}, {"doctor", "--help"},
		{"status", "--help"}, {"bench", "--help"}, {"mutate", "--help"}, {"verify", "--help"}, {"diff", "--help"}, {"log"}, {"log", "verify", "--help"}, {"log", "key", "--help"},
		{"review", "--help"}, {"review", "verify", "--help"}, {"attack", "--help"},
	} {
		got := run(t, nil, args...)
		require.Equal(t, statusOK, got.status, got)
		require.Contains(t, got.out, "Usage:", "%v", args)
		require.Contains(t, got.out, "Examples:", "%v", args)
		require.Empty(t, got.err)
	}
}

func TestVersionOutput(t *testing.T) {
	t.Parallel()
	require.Equal(t, run(t, nil, "version"), run(t, nil, "--version"))
	got := run(t, nil, "version")
	require.Equal(t, statusOK, got.status)
	require.Regexp(t, `^wardkeeper \S+.*, OPA v1\.\d+\.\d+, go1\S* \w+/\w+\nbuilt-in policy: revision [0-9a-f]{12}\n$`, got.out)
}

func TestInvalidCommandLinesAreExplained(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"help srve":                             `there is no command "wardkeeper srve": did you mean serve? `,
		"srve":                                  `there is no command "wardkeeper srve": did you mean serve? `,
		"zzzzzz":                                `there is no command "wardkeeper zzzzzz": "wardkeeper --help" lists them`,
		"directory chekc x":                     `there is no command "wardkeeper directory chekc": did you mean check? `,
		"ask a b c --form x":                    "there is no flag --form: did you mean --from? ",
		"ask a b c -z":                          "unknown shorthand flag: 'z' in -z",
		"ask a b":                               "RESOURCE is missing: wardkeeper ask SUBJECT ACTION RESOURCE",
		"ask a b c d":                           `"d" is one argument too many`,
		"ask a b c --timeout soon":              "invalid argument",
		"ask a b c --set role":                  `--set "role": write it as KEY=VALUE`,
		"ask a b c --server nowhere":            `is invalid: use an http or https URL`,
		"ask a b c --decision x/y":              "--decision applies only without a server",
		"ask a b c --server http://127.0.0.1:1": "cannot reach the server: ",
		"ask a b c --server http://127.0.0.1:1 --token-file testdata/none": "cannot read the token file",
		"ask a b c --server http://x --directory " + testDirectory:         "--server cannot be combined",
		"ask a b c --directory testdata/none.yaml":                         "testdata/none.yaml",
		"ask a b c --bundle testdata/none":                                 "name a directory",
		"ask a b c --client-id x":                                          "HTTP Basic takes both --client-id and --client-secret-file",
		"status now":                                                       `"now" is one argument too many`,
		"statsu":                                                           `there is no command "wardkeeper statsu": did you mean status? `,
		"status --sever x":                                                 "there is no flag --sever: did you mean --server? ",
		"status --server http://127.0.0.1:1":                               "cannot reach the server: ",
		"status --server unix:/nowhere/pdp.sock":                           "there is no socket /nowhere/pdp.sock",
		"bench":                                                            "--directory is missing: name the server's directory",
		"bench --directory x --mix single=50":                              `--mix is "single=50": the shares must be of`,
		"bench --directory x --mix sinlge=100":                             "did you mean single? ",
		"bench --directory x --rate -1":                                    "--rate is -1: use up to",
		"ask a b c --config x":                                             "--config has the settings of a directory that is no file",
		"bench --directory testdata/none.yaml":                             "testdata/none.yaml",
		"bench --server http://127.0.0.1:1 --directory " + testDirectory:   "cannot reach the server: ",
		"status --interval 1s":                                             "--interval applies only with --watch",
		"status --watch --interval 1ms":                                    "--interval is 1ms: use at least 100ms",
		"directory check":                                                  "FILE is missing",
		"directory check testdata/none.yaml":                               "testdata/none.yaml",
		"directory generate 5":                                             `"5" is one argument too many`,
		"directory generate --users -1":                                    "--users is -1: use a whole number from 0 to 10000000",
		"directory generate --users 10000001":                              "--users is 10000001: use a whole number from 0 to 10000000",
		"directory generate --users many":                                  "invalid argument",
		"directory generate --seed -1":                                     "invalid argument",
		"directory generate --format xml":                                  `--format is "xml": use json or yaml`,
		"directory generate --format yaml -o testdata/none.json":           "choose another name",
		"directory generate -o testdata/faulty.yaml":                       "testdata/faulty.yaml exists: name another file, or use --force to replace it",
		"directory generate -o testdata --force":                           "testdata is not a regular file",
		"directory generate -o testdata/none/x.json":                       "cannot write testdata/none/x.json",
		"bundel":                     `there is no command "wardkeeper bundel": did you mean bundle? `,
		"bundle biuld x":             `there is no command "wardkeeper bundle biuld": did you mean build? `,
		"bundle build":               "DIR is missing: wardkeeper bundle build DIR [flags]",
		"bundle build testdata/none": "testdata/none is not a policy folder",
		"bundle build testdata/policies --revison x":                 "there is no flag --revison: did you mean --revision? ",
		"bundle build testdata/policies --sequence soon":             "invalid argument",
		"bundle build testdata/policies --signing-key testdata/none": "cannot read the signing key",
		"bundle sign":                                 "FILE is missing",
		"bundle sign x.tar.gz":                        "--signing-key is missing: name the private key to sign with",
		"bundle sign x.tar.gz --signing-kye k":        "there is no flag --signing-kye: did you mean --signing-key? ",
		"bundle verify x.tar.gz":                      "no keys to verify with: use --verification-key",
		"bundle verify x.tar.gz --verification-kee k": "did you mean --verification-key? ",
		"bundle inspect":                              "FILE|DIR is missing",
		"bundle inspect testdata/none":                "testdata/none",
		"bundle release":                              "--from is missing: name the old bundle",
		"bundle release x.tar.gz":                     `"x.tar.gz" is one argument too many`,
		"log verfy x":                                 `there is no command "wardkeeper log verfy": did you mean verify? `,
		"log verify":                                  "DIR is missing: wardkeeper log verify DIR [flags]",
		"log verify testdata/none":                    "the log cannot be verified: ",
		"log verify testdata/none --checkpoint 1:00":  "write it as SEQ:HASH",
		"log key":                           "FILE is missing: wardkeeper log key FILE",
		"log key testdata/none/x.pem":       "cannot write the key: ",
		"version now":                       `"now" is one argument too many`,
		"directory openapi x":               `"x" is one argument too many`,
		"directory import":                  "FILE is missing: wardkeeper directory import FILE --to URL [flags]",
		"directory import " + testDirectory: "--to is missing: name the database, postgres://",
		"directory import " + testDirectory + " --to mysql://a:b@c/d": "the database must be a URL, postgres://",
		"directory import postgres://u:pw@h/d --to postgres://h/d":    "FILE is an address: only a file can be imported",
		"directory import " + testDirectory + " --too x":              "there is no flag --too: did you mean --to? ",
		"directory schema now": `"now" is one argument too many`,
	} {
		got := run(t, nil, strings.Fields(line)...)
		require.Equal(t, statusFailed, got.status, "%s: %v", line, got)
		require.Contains(t, got.err, want)
		require.Empty(t, got.out, line)
	}
}

func TestAskWithoutServer(t *testing.T) {
	t.Parallel()
	ask := func(args ...string) result {
		return run(t, nil, append([]string{"ask", "--directory", testDirectory}, args...)...)
	}
	require.Equal(t, result{out: "ALLOWED  alice may location.switch on location ghi\n"}, ask("alice", "location.switch", "ghi"))

	denied := []string{"alice", "assignment.remove", "jane", "--at", "ghi", "--from", "metro"}
	got := ask(denied...)
	require.Equal(t, statusNo, got.status, got)
	require.Equal(t, strings.Join([]string{
		"DENIED  alice may not assignment.remove on jane at ghi, from metro",
		"  because  This is the user's default location.  (default_location, REG-I3)",
		"  advice   Choose another default location first.  (change_default_first, REG-I3)", "",
	}, "\n"), got.out)

	got = ask(append(denied, "--json")...)
	require.Equal(t, statusNo, got.status, got)
	require.Equal(t, 1, strings.Count(got.out, "\n"))
	require.JSONEq(t, `{"decision": false, "context": {
		"reasons": [{"code": "default_location", "rule": "REG-I3", "message": "This is the user's default location."}],
		"advice": [{"code": "change_default_first", "rule": "REG-I3", "message": "Choose another default location first."}]}}`, got.out)

	got = ask("alice", "user.edit", "jane")
	require.Equal(t, statusOK, got.status, got)
	require.Contains(t, got.out, "\n  must     confirm: multiple_locations  (REG-W1/multiple_locations, custom)\n")
	require.Equal(t, result{out: "ALLOWED  alice may user.edit on jane\n"}, ask("alice", "user.edit", "jane", "--context", "confirmed=true"))

	got = run(t, nil, "ask", "bob", "can_read", "123", "--bundle", testPolicies, "--decision", "app/decision")
	require.Equal(t, statusNo, got.status, got)
	require.Contains(t, got.out, "Only readers may.")
}

func TestDirectoryCheckOfFiles(t *testing.T) {
	t.Parallel()
	require.Equal(t, result{out: testDirectory + " is valid: 4 locations in 1 organization, 2 users\n"},
		run(t, nil, "directory", "check", testDirectory))
	got := run(t, nil, "directory", "check", "testdata/faulty.yaml")
	require.Equal(t, statusNo, got.status, got)
	require.Empty(t, got.err)
	faults := strings.Split(strings.TrimSpace(got.out), "\n")
	require.Len(t, faults, 2, got.out)
	require.Contains(t, faults[0], "north")
	require.Equal(t, `user "jane": assignment at "metro": role is not offered at a region`, faults[1])
}

func TestEnvironmentVariable(t *testing.T) {
	p := process{environ: []string{"A=1", "AB=2", "C"}}
	require.Equal(t, "1", p.variable("A"))
	require.Empty(t, p.variable("B"))
	require.Empty(t, p.variable("C"))
}

func TestDirectoryOpenAPIIsPrinted(t *testing.T) {
	require.Equal(t, result{out: httporigin.OpenAPI()}, run(t, nil, "directory", "openapi"))
	require.True(t, strings.HasPrefix(httporigin.OpenAPI(), "openapi: 3.1"))
}
