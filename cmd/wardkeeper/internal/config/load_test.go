package config

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// lines splits an error into its faults.
func lines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

func writeFile(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// samples returns, for each flag, a value that differs from its default.
func samples() map[string]string {
	return map[string]string{
		"addr": "127.0.0.1:9000,unix:/run/pdp.sock", "socket-mode": "0600", "tls-cert-file": "cert.pem", "tls-key-file": "key.pem",
		"tls-client-ca-file": "ca.pem", "tls-client-certificates": "optional", "directory": "d.yaml",
		"redis": "redis://r", "changes-token-file": "c", "fleet-key-file": "f", "max-age-change": "8s", "max-age-use": "9s", "lease": "10s",
		"guard-lifetime": "11s", "claim-lifetime": "12s",
		"bundle": "p", "verification-key": "k.pem", "state-dir": "s", "decision": "app/allow", "serve-data": "true", "token-file": "t",
		"decision-log": "log", "decision-log-durability": "sync",
		"routes": "routes.yaml", "ext-authz": "127.0.0.1:9001,unix:/run/envoy.sock", "operations-addr": "127.0.0.1:9002", "base-url": "https://pdp.example.org", "insecure": "true", "check": "true", "log-format": "json",
		"log-level": "debug", "log-sample-rate": "15", "traces": "otlp", "evaluator": "interpreted", "evaluation-timeout": "2s", "read-header-timeout": "3s", "read-timeout": "4s",
		"request-timeout": "5s", "proxy-timeout": "13s", "idle-timeout": "6s", "shutdown-delay": "14s", "shutdown-timeout": "7s",
		"max-requests": "10", "max-batches": "11", "max-connections": "12",
	}
}

func TestEverySettingHasFlagVariableAndKey(t *testing.T) {
	var names []string
	Default().table().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	require.ElementsMatch(t, slices.Collect(maps.Keys(samples())), names)
	exported := 0
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Settings]()) {
		if f.IsExported() && !slices.Contains([]string{"Membership", "PolicyBundle", "Callers", "JWT", "DecisionLog"}, f.Name) { // set only in the file
			exported++
		}
	}
	exported += len(decisionLogFlags) // fields of DecisionLog
	require.Len(t, names, exported, "each field has an entry in the table, and each entry a field")

	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	RegisterFlags(flags)
	for name, value := range samples() {
		t.Run(name, func(t *testing.T) {
			require.NotNil(t, flags.Lookup(name))
			file := writeFile(t, "c.yaml", keyOf(name)+": "+value+"\n")
			byFile, err := Load(nil, map[string]string{FileFlag: file})
			require.NoError(t, err)
			byVariable, err := Load([]string{Variable(name) + "=" + value}, nil)
			require.NoError(t, err)
			byFlag, err := Load(nil, map[string]string{name: value})
			require.NoError(t, err)
			for _, s := range []*Settings{byFile, byVariable, byFlag} {
				s.spellings = nil
			}
			require.Equal(t, byFlag, byFile)
			require.Equal(t, byFlag, byVariable)
			require.Equal(t, value, byFlag.table().Lookup(name).Value.String())
			require.NotEqual(t, value, Default().table().Lookup(name).Value.String())
		})
	}
}

// keyOf returns the key of a flag in the YAML file. Those of the decision log are in a mapping.
func keyOf(flag string) string {
	for name, f := range decisionLogFlags {
		if f == flag {
			return decisionLogKey + ":\n  " + name
		}
	}
	return yamlKey(flag)
}

func TestExampleFileHasTheDefaults(t *testing.T) {
	s, err := Load(nil, map[string]string{FileFlag: "../../wardkeeper.example.yaml"})
	require.NoError(t, err)
	s.spellings = map[string]string{}
	require.Equal(t, Default(), s)
	example, err := os.ReadFile("../../wardkeeper.example.yaml")
	require.NoError(t, err)
	for name := range samples() {
		require.Regexp(t, `(?m)^`+strings.ReplaceAll(keyOf(name), ":\n  ", `:(?s:.*?)\n  `)+`:`, string(example))
	}
}

func TestLayersOverrideEachOther(t *testing.T) {
	file := writeFile(t, "c.yaml", "addr: 127.0.0.1:1\ndecision: file/d\nlog_level: error\nread_timeout:\n")
	environ := []string{
		"WARDKEEPER_CONFIG=" + file, "WARDKEEPER_ADDR=127.0.0.1:2", "WARDKEEPER_DECISION=env/d",
		"WARDKEEPER_TOKEN_FILE=", "PATH=/bin",
	}
	s, err := Load(environ, map[string]string{"addr": "127.0.0.1:3"})
	require.NoError(t, err)
	require.Equal(t, AddrList{"127.0.0.1:3"}, s.Addr)
	require.Equal(t, "env/d", s.Decision)
	require.Equal(t, "error", s.LogLevel)
	require.Equal(t, 10*time.Second, s.ReadTimeout, "a key without a value leaves the default")
	require.Empty(t, s.TokenFile, "an empty variable counts as none")

	s, err = Load(environ, map[string]string{FileFlag: ""})
	require.NoError(t, err)
	require.Equal(t, "info", s.LogLevel, "an empty flag takes the file away")
}

func TestAllFaultsAreReportedAtOnce(t *testing.T) {
	file := writeFile(t, "c.yaml", strings.Join([]string{
		"adrr: x", "idle_timeout: 5", "log_format: text", "log_format: json", "config: other.yaml", "bundle: [a, b]",
	}, "\n"))
	s, err := Load(
		[]string{"WARDKEEPER_DIRECTROY=x", "WARDKEEPER_INSECURE=maybe", "WARDKEEPER_BASE_URL=ftp://x"},
		map[string]string{FileFlag: file, "read-timeout": "soon", "addr": "nowhere", "log-level": "wran", "request-timeout": "0s"})
	require.Equal(t, []string{
		file + `:1: "adrr" is not a setting: did you mean addr? correct or remove it`,
		file + `:2: idle_timeout is "5": use a number with a unit, such as 500ms, 10s or 2m`,
		file + `:4: log_format is already set in line 3: remove one of them`,
		file + `:5: a configuration file cannot name another: use --config or WARDKEEPER_CONFIG`,
		file + `:6: bundle must be a single value`,
		`WARDKEEPER_DIRECTROY is not a setting: did you mean WARDKEEPER_DIRECTORY? unset it`,
		`WARDKEEPER_INSECURE is "maybe": use true or false`,
		`--read-timeout is "soon": use a number with a unit, such as 500ms, 10s or 2m`,
	}, lines(err))
	require.Equal(t, []string{
		`--addr is "nowhere": use HOST:PORT or unix:/PATH, such as 127.0.0.1:8181`,
		`WARDKEEPER_BASE_URL: ` + errBaseURL.Error(),
		`--log-level is "wran": did you mean warn? choose from debug, info, warn, error`,
		`--request-timeout is 0s: it must be positive`,
	}, lines(s.Validate()))
}

func TestInvalidFilesAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"- a\n":                                "must be one mapping",
		"addr: a\n---\naddr: b\n":              "must be one mapping",
		"just words":                           "must be one mapping",
		"addr: [":                              "is not valid YAML",
		"a: &x 1\naddr: *x\n":                  "addr must be a single value",
		"addr: {host: localhost}":              "addr must be a single value",
		"Addr: 127.0.0.1:1":                    `"Addr" is not a setting: did you mean addr?`,
		"token-file: secret":                   `"token-file" is not a setting: did you mean token_file?`,
		"addr: a\n\tb: c":                      "is not valid YAML",
		"policy: p":                            "policy must have exactly one member, bundle",
		"policy: {bundles: {}}":                "policy must have exactly one member, bundle",
		"policy: {bundle: {poling: {}}}":       `policy.bundle: there is no setting "poling"`,
		"policy: {bundle: {path: p, path: q}}": "policy.bundle: ",
		"policy: {bundle: {polling: {min_delay_seconds: 1s}}}":     "policy.bundle: polling.min_delay_seconds is a string: it must be a whole number",
		"policy: {bundle: {max_age: 24}}":                          "policy.bundle: max_age is a number: it must be a string, in quotes",
		"policy: {bundle: {keys: public.pem}}":                     "policy.bundle: keys is a string: it must be a mapping of names to values",
		"policy: {bundle: {service: \"http://x\"}}":                "policy.bundle: service: this is a string: it must be a mapping",
		"policy: {bundle: {service: {credentials: {bearre: {}}}}}": `policy.bundle: service: there is no setting "bearre"`,
	} {
		_, err := Load(nil, map[string]string{FileFlag: writeFile(t, "c.yaml", text)})
		require.ErrorContains(t, err, want, "%q", text)
	}
	for _, text := range []string{"", "# nothing yet\n", "---\n", "null\n", "{}\n"} {
		_, err := Load(nil, map[string]string{FileFlag: writeFile(t, "c.yaml", text)})
		require.NoError(t, err, "%q", text)
	}
	_, err := Load(nil, map[string]string{FileFlag: filepath.Join(t.TempDir(), "none.yaml")})
	require.ErrorContains(t, err, "cannot read the configuration file")
}

// What other settings lack may be in a file that cannot be read, so nothing is said of them.
func TestAFileThatCannotBeReadIsTheOnlyFault(t *testing.T) {
	for _, file := range []string{filepath.Join(t.TempDir(), "none.yaml"), writeFile(t, "c.yaml", "addr: ["), writeFile(t, "c.yaml", "- a")} {
		_, err := Load([]string{"WARDKEEPER_MAX_REQUESTS=many"}, map[string]string{FileFlag: file})
		var unread *FileError
		require.ErrorAs(t, err, &unread)
		require.NotContains(t, err.Error(), "MAX_REQUESTS")
	}
	_, err := Load(nil, map[string]string{FileFlag: writeFile(t, "c.yaml", "addres: 127.0.0.1:1")})
	var unread *FileError
	require.False(t, errors.As(err, &unread), "other faults are reported with it")
}

func TestKubernetesVariablesAreIgnored(t *testing.T) {
	_, err := Load([]string{
		"WARDKEEPER_SERVICE_HOST=10.0.0.1", "WARDKEEPER_SERVICE_PORT=8181", "WARDKEEPER_SERVICE_PORT_HTTP=8181",
		"WARDKEEPER_PORT=tcp://10.0.0.1:8181", "WARDKEEPER_PORT_8181_TCP_ADDR=10.0.0.1", "WARDKEEPER_PORT_8181_TCP=tcp://x:1",
		"WARDKEEPER_REDIS_SERVICE_HOST=10.0.0.2", "WARDKEEPER_REDIS_PORT=tcp://10.0.0.2:6379",
		"WARDKEEPER_SERVER=http://127.0.0.1:8181", // a variable of ask
	}, nil)
	require.NoError(t, err)
	_, err = Load([]string{"WARDKEEPER_PORT=8181"}, nil)
	require.ErrorContains(t, err, "WARDKEEPER_PORT is not a setting")
}
