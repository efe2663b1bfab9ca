package nginxconf_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/nginxconf"
)

func load(t *testing.T, text string) (*nginxconf.Directive, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nginx.conf")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return nginxconf.Load(path)
}

func TestConfigurationIsReadAndWritten(t *testing.T) {
	root, err := load(t, `# a comment
events {}
http { # another
	log_format a '$status "$request" \'x\'' "b\"c";
	map $a $b { default "x;y{z}"; ~^/a\.b$ 1; "" 0; }
	server { location ~ ^/a\ b/${c}x { return 200 a\;b; } }
}
`)
	require.NoError(t, err)
	require.Len(t, root.Block, 2)
	http := root.Block[1]
	require.Equal(t, 3, http.Line)
	require.Equal(t, `$status "$request" 'x'`, http.All("log_format")[0].Arg(1))
	require.Equal(t, `b"c`, http.All("log_format")[0].Arg(2))
	require.Equal(t, "", http.All("log_format")[0].Arg(3))
	rules := http.All("map")[0].Block
	require.Equal(t, "x;y{z}", rules[0].Arg(0))
	require.Equal(t, `~^/a\.b$`, rules[1].Name)
	location := http.All("server")[0].All("location")[0]
	require.Equal(t, "^/a b/${c}x", location.Arg(1))
	require.Equal(t, "a;b", location.Block[0].Arg(1))

	again, err := load(t, root.String())
	require.NoError(t, err)
	require.Equal(t, root.String(), again.String())
}

func TestFaultsOfSyntaxHaveALine(t *testing.T) {
	for text, message := range map[string]string{
		"a {\n b;\n":                       "a block has no closing brace",
		"a;\n}\n":                          "nginx.conf:2: there is a closing brace too many",
		"a;\nb":                            "nginx.conf:2: b has no semicolon after it",
		"a \"b":                            "a quoted argument has no end",
		"a \"b\"c;":                        "no space after a quoted argument",
		";":                                "unexpected ';'",
		"content_by_lua_block { x = '}' }": "has a program in it",
		"include no-such-file;":            "there is no file",
		"include *.conf;":                  "too deep",
	} {
		_, err := load(t, text)
		require.ErrorContains(t, err, message, text)
	}
}
