package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// pastedProxy is a proxy whose page says how to try it. In its commands, {dir} stands for a folder of the test's own, and {front} for
// the address where the proxy listens.
type pastedProxy struct {
	program string
	// before are commands for what a machine has that the page was written for.
	before string
	// files are the texts in the adapter's files that are about the machine, with what takes their place.
	files map[string]string
}

// pastedProxies start a proxy in the foreground where systemd would start it as a service.
var pastedProxies = map[string]pastedProxy{
	"nginx": {
		"nginx", `
mkdir -p {dir}/nginx/conf.d {dir}/nginx/sites-enabled {dir}/nginx/tmp
echo 'user www-data; pid {dir}/nginx.pid; events {} http { access_log off; client_body_temp_path {dir}/nginx/tmp; proxy_temp_path {dir}/nginx/tmp;
  fastcgi_temp_path {dir}/nginx/tmp; uwsgi_temp_path {dir}/nginx/tmp; scgi_temp_path {dir}/nginx/tmp; include {dir}/nginx/conf.d/*.conf; }' >{dir}/nginx/nginx.conf
nginx() { command nginx -c {dir}/nginx/nginx.conf -e stderr "$@"; }
systemctl() { nginx -g 'daemon off;' & }
`,
		map[string]string{"listen 80;": "listen {front};", "_timeout 250ms": "_timeout 60s", "_timeout 1s": "_timeout 60s"},
	},
	"caddy": {
		"caddy", `
mkdir -p {dir}/caddy
export HOME={dir} XDG_CONFIG_HOME={dir} XDG_DATA_HOME={dir}
systemctl() { caddy run --adapter caddyfile --config {dir}/caddy/Caddyfile & }
`,
		map[string]string{":80 {": "{\n\tadmin off\n}\nhttp://{front} {", "_timeout 250ms": "_timeout 60s", "_timeout 1s": "_timeout 60s"},
	},
	"haproxy": {
		"haproxy", `
mkdir -p {dir}/haproxy
systemctl() { haproxy -db -f {dir}/haproxy/haproxy.cfg & }
`,
		map[string]string{"bind :80\n": "bind {front}\n", "127.0.0.1:8180": "{inner}", "timeout server 1s": "timeout server 60s", "timeout = 1000": "timeout = 60000"},
	},
	"apache": {
		"apache2", `
cp -a /etc/apache2 {dir}/apache2
export APACHE_CONFDIR={dir}/apache2 APACHE_STATE_DIRECTORY={dir}/state
sed -i 's|/var/|{dir}/|' {dir}/apache2/envvars && mkdir -p {dir}/run {dir}/log/apache2 {dir}/lock
echo 'Listen {front}' >{dir}/apache2/ports.conf
apt-get() { :; }
systemctl() { APACHE_STARTED_BY_SYSTEMD=1 apachectl -DFOREGROUND & }
`,
		map[string]string{"<VirtualHost *:80>": "<VirtualHost {front}>", "timeout, max_answer = 1,": "timeout, max_answer = 60,"},
	},
}

// The commands with which the page of a proxy has it tried are pasted, with a folder in place of /etc and /run, and free ports.
func TestPastedCommandsOfTheProxiesPagesProtectTheClinic(t *testing.T) {
	skipIfShort(t)
	t.Parallel()
	clinic, err := clinicBinary()
	require.NoError(t, err)
	for name, c := range pastedProxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tool(t, c.program)
			dir := proxyDir(t)
			free := func() string { return fmt.Sprintf("127.0.0.1:%d", servertest.FreePort(t)) }
			app, front := free(), free()
			here := strings.NewReplacer("{dir}", dir, "{front}", front, "{inner}", free())
			texts := map[string]string{"127.0.0.1:9000": app}
			for old, now := range c.files {
				texts[old] = here.Replace(now)
			}
			machine := map[string]string{"/run/wardkeeper": dir + "/run/wardkeeper", "/etc/": dir + "/", "127.0.0.1:8181": free()}
			if os.Getuid() != 0 {
				machine["-g www-data -m 2750 "], machine["-g caddy -m 2750 "] = "", ""
				machine["\tuser haproxy\n\tgroup haproxy\n"] = ""
			}
			// The repository, as the commands see it.
			require.NoError(t, os.MkdirAll(filepath.Join(dir, "adapters", name), 0o755))
			require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
			root, err := filepath.Abs("../..")
			require.NoError(t, err)
			for link, to := range map[string]string{"testdata": root + "/testdata", "bin/clinic": clinic, "bin/wardkeeper": binary(t)} {
				require.NoError(t, os.Symlink(to, filepath.Join(dir, link)))
			}
			adapterFiles(t, name, filepath.Join(dir, "adapters", name), texts)
			replaceAll(t, filepath.Join(dir, "adapters", name), machine)

			section := readFile(t, "../../adapters/"+name+"/README.md")
			_, section, _ = strings.Cut(section, "\n## Try it\n")
			section, _, _ = strings.Cut(section, "\n## ")
			script := replaceIn(t, shellBlocks(t, section),
				"make build && go build -o bin/clinic ./testdata/clinic/serve", "true",
				"bin/clinic &", "bin/clinic --addr "+app+" &", "http://127.0.0.1/", "http://"+front+"/")
			for old, now := range machine {
				script = strings.ReplaceAll(script, old, now)
			}
			script = strings.ReplaceAll(script, "serve --token-file", "serve --addr "+machine["127.0.0.1:8181"]+" --token-file")
			// A person pastes block after block; nothing needs to be ready at once.
			const patient = `set -e
curl() { command curl -sS --retry 60 --retry-delay 1 --retry-connrefused "$@"; }
mkdir -p {dir}/run
`
			printed := runPasted(t, dir, here.Replace(patient+c.before)+script)
			assert.Contains(t, printed, "<h1>Jane Doe</h1>")
			assert.Contains(t, printed, `"code":"denied","detail":"This is the user's default location."`)
		})
	}
}

// shellBlocks returns the commands of a section, block after block.
func shellBlocks(t *testing.T, section string) string {
	t.Helper()
	parts := strings.Split(section, "```sh\n")
	require.Greater(t, len(parts), 2, "the section has commands")
	var script strings.Builder
	for _, part := range parts[1:] {
		block, _, ok := strings.Cut(part, "```")
		require.True(t, ok)
		script.WriteString(block)
	}
	return script.String()
}

// replaceAll replaces texts in the files of a folder, where they occur.
func replaceAll(t *testing.T, dir string, texts map[string]string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	for _, file := range files {
		text := readFile(t, file)
		for old, now := range texts {
			text = strings.ReplaceAll(text, old, now)
		}
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
}

// runPasted runs commands in a folder, and returns what they print. What they leave running ends with the test.
func runPasted(t *testing.T, dir, script string) (printed string) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	cmd := exec.Command("bash", "-c", script)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		_ = out.Close()
	})
	err = cmd.Wait()
	printed = readFile(t, out.Name())
	require.NoError(t, err, "%s\n%s", script, printed)
	return printed
}
