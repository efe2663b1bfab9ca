package config

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/unixsocket"
)

func TestParseAddr(t *testing.T) {
	longest := "/" + strings.Repeat("s", unixsocket.MaxPath-1)
	for text, want := range map[string]Addr{
		"127.0.0.1:8181":                   {"tcp", "127.0.0.1:8181"},
		"[::1]:80":                         {"tcp", "[::1]:80"},
		":0":                               {"tcp", ":0"},
		"localhost:80":                     {"tcp", "localhost:80"},
		"unix:0":                           {},
		"unix:/run/wardkeeper/pdp.sock":    {"unix", "/run/wardkeeper/pdp.sock"},
		"unix:///run/pdp.sock":             {"unix", "/run/pdp.sock"},
		"unix:/run/../run//a/./pdp.sock":   {"unix", "/run/a/pdp.sock"},
		"unix:/run/with space:80%2f?a#b@c": {"unix", "/run/with space:80%2f?a#b@c"},
		"unix:" + longest:                  {"unix", longest},
		"systemd:pdp.sock-1":               {"systemd", "pdp.sock-1"},
	} {
		got, err := ParseAddr(text)
		if want == (Addr{}) {
			require.Error(t, err, text)
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for text, want := range map[string]string{
		"":                         "use HOST:PORT or unix:/PATH",
		"127.0.0.1":                "use HOST:PORT or unix:/PATH",
		"/run/pdp.sock":            "use HOST:PORT or unix:/PATH",
		"http://127.0.0.1:8181":    "use HOST:PORT or unix:/PATH",
		"127.0.0.1:http":           "the port must be a number up to 65535",
		"UNIX:/run/pdp.sock":       "the port must be a number up to 65535",
		"unix:":                    "must be absolute",
		"unix:pdp.sock":            "must be absolute",
		"unix:./pdp.sock":          "must be absolute",
		"unix:@pdp":                "abstract socket",
		"unix:\x00pdp":             "abstract socket",
		"unix://run/pdp.sock":      "a socket has no host",
		"unix:/":                   "this is a folder",
		"unix:/run/":               "this is a folder",
		"unix:/run/..":             "this is a folder",
		"unix:/run/a\x00b":         "the path has a NUL",
		"unix:" + longest + "s":    "bytes: that of a socket can have",
		"unix:/run/a,unix:/run/b/": "this is a folder",
		"systemd:":                 "use systemd:NAME",
		"systemd:a:b":              "use systemd:NAME",
	} {
		_, err := ParseAddr(text)
		require.ErrorContains(t, err, want, "%q", text)
	}
}

func FuzzParseAddr(f *testing.F) {
	for _, seed := range []string{"127.0.0.1:8181", "[::1]:0", "unix:/run/pdp.sock", "unix:///run/pdp.sock", "unix://h/p", "unix:@a", "systemd:pdp", "systemd::", "unix:/../..", "unix:/a/\x00", ":"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		addr, err := ParseAddr(text)
		if err != nil {
			return
		}
		again, err := ParseAddr(addr.String())
		require.NoError(t, err, "%q", addr)
		require.Equal(t, addr, again)
		switch addr.Network {
		case "tcp":
			require.Equal(t, text, addr.Address)
		case "unix":
			require.True(t, IsUnix(text))
			require.NotContains(t, addr.Address, "\x00")
			require.NotContains(t, addr.Address+"/", "/../")
			require.True(t, len(addr.Address) > 1 && addr.Address[0] == '/' && len(addr.Address) <= unixsocket.MaxPath, "%q", addr.Address)
		case "systemd":
			require.NotEmpty(t, addr.Address)
			require.NotContains(t, addr.Address, ":")
		default:
			t.Fatal(addr.Network)
		}
	})
}

func TestAddrListsOfEachLayer(t *testing.T) {
	want := AddrList{"127.0.0.1:1", "unix:/run/pdp.sock"}
	for _, text := range []string{
		"addr: [127.0.0.1:1, unix:/run/pdp.sock]\n",
		"addr:\n- 127.0.0.1:1\n- unix:/run/pdp.sock\n",
		"addr: 127.0.0.1:1, unix:/run/pdp.sock\n",
	} {
		s, err := Load(nil, map[string]string{FileFlag: writeFile(t, "c.yaml", text)})
		require.NoError(t, err, text)
		require.Equal(t, want, s.Addr, text)
		require.Equal(t, []Addr{{"tcp", "127.0.0.1:1"}, {"unix", "/run/pdp.sock"}}, s.Addr.Parsed())
	}
	s, err := Load([]string{"WARDKEEPER_ADDR=127.0.0.1:1,unix:/run/pdp.sock"}, nil)
	require.NoError(t, err)
	require.Equal(t, want, s.Addr)

	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	given := RegisterFlags(flags)
	require.NoError(t, flags.Parse([]string{
		"--addr", "127.0.0.1:1", "--log-level", "warn", "--addr=unix:/run/pdp.sock", "--log-level", "error",
	}))
	s, err = Load([]string{"WARDKEEPER_ADDR=127.0.0.1:2"}, given)
	require.NoError(t, err)
	require.Equal(t, want, s.Addr, "flags add to each other, and override a variable")
	require.Equal(t, "error", s.LogLevel)
}

func TestEachAddrIsValidated(t *testing.T) {
	s, err := Load(nil, map[string]string{"addr": "unix:/run/pdp.sock,0.0.0.0:1,,unix:@a,unix:/run//pdp.sock,127.0.0.1:0,127.0.0.1:0,localhost"})
	require.NoError(t, err)
	s.Directory = "d.yaml"
	require.Equal(t, []string{
		`--addr is "0.0.0.0:1", which other machines can reach: set --token-file, callers or --tls-client-ca-file, or set --insecure to let everybody ask`,
		`--addr is "": use HOST:PORT or unix:/PATH, such as 127.0.0.1:8181`,
		`--addr is "unix:@a": any program of this machine can take the name of an abstract socket: use a path, such as unix:/run/wardkeeper/pdp.sock`,
		`--addr is "unix:/run//pdp.sock": it is given twice: remove one of them`,
		`--addr is "localhost": use HOST:PORT or unix:/PATH, such as 127.0.0.1:8181`,
	}, lines(s.Validate()))
	s, err = Load(nil, map[string]string{FileFlag: writeFile(t, "c.yaml", "addr: []\n")})
	require.NoError(t, err)
	require.ErrorContains(t, s.Validate(), `addr is "": use HOST:PORT`)
}

func TestSocketMode(t *testing.T) {
	for text, want := range map[string]FileMode{"0660": 0o660, "600": 0o600, "0o666": 0o666, "0777": 0o777} {
		s, err := Load(nil, map[string]string{FileFlag: writeFile(t, "c.yaml", "socket_mode: "+text+"\n")})
		require.NoError(t, err, text)
		require.Equal(t, want, s.SocketMode, text)
	}
	for _, text := range []string{"", "0", "0060", "0460", "1777", "0888", "rw-rw----", "0x1b0", "-0660", "0660 "} {
		s, err := Load(nil, map[string]string{"socket-mode": text})
		require.ErrorContains(t, err, `use an octal number that lets the owner read and write, such as 0660`, text)
		require.Equal(t, FileMode(0o660), s.SocketMode)
	}
}
