package main

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// apacheConf does for the files of adapters/apache what Debian's apache2.conf does after "a2enmod lua proxy_http".
const apacheConf = `
ServerRoot %[1]s
DefaultRuntimeDir %[1]s
PidFile httpd.pid
ErrorLog error.log
%[2]s
Listen %[3]s
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authn_file_module /usr/lib/apache2/modules/mod_authn_file.so
LoadModule auth_basic_module /usr/lib/apache2/modules/mod_auth_basic.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
LoadModule lua_module /usr/lib/apache2/modules/mod_lua.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
Include wardkeeper.conf
`

var patientApache = map[string]string{"timeout, max_answer = 1,": "timeout, max_answer = 60,"}

// startApache starts Apache with the files of adapters/apache.
func startApache(t *testing.T, pdp, app string, changes map[string]string) *proxy {
	t.Helper()
	dir := proxyDir(t)
	addr := proxyAddr(t)
	adapterFiles(t, "apache", dir, changes, map[string]string{
		"/run/wardkeeper/pdp.sock": strings.TrimPrefix(pdp, "unix:"), "/etc/apache2/wardkeeper": dir + "/wardkeeper",
		"<VirtualHost *:80>": "<VirtualHost " + addr + ">", "127.0.0.1:9000": app,
	})
	user := ""
	if os.Getuid() == 0 {
		user = "User www-data\nGroup www-data"
	}
	config := filepath.Join(dir, "httpd.conf")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, apacheConf, dir, user, addr), 0o644))
	return startProxy(t, addr, filepath.Join(dir, "error.log"), exec.Command(tool(t, "apache2"), "-f", config, "-DFOREGROUND"))
}

// Apache asks about the person it has authenticated, never about a person that a header field names.
func TestApacheNamesThePersonThatItHasAuthenticated(t *testing.T) {
	skipIfShort(t)
	t.Parallel()
	app := newApplication(t)
	addr := pdpAddr(t, true)
	people{routes: writeFile(t, "routes.yaml", routesOfTests)}.startPDP(t, addr)
	passwords := filepath.Join(proxyDir(t), "passwords")
	sum := sha1.Sum([]byte("secret"))
	line := ":{SHA}" + base64.StdEncoding.EncodeToString(sum[:]) + "\n"
	require.NoError(t, os.WriteFile(passwords, []byte("alice"+line+"mallory"+line), 0o644))
	changes := maps.Clone(patientApache)
	changes["	LuaScope thread\n"] = `
	LuaScope thread
	<Location "/users">
		AuthType Basic
		AuthName clinic
		AuthUserFile ` + passwords + `
		Require valid-user
	</Location>
`
	p := startApache(t, addr, app.addr(), changes)
	as := func(person string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(person+":secret"))
	}
	got := p.request(t, "GET", "/users/jane", as("alice"), "X-Remote-User: spoofed").arrived(t)
	require.Equal(t, []string{"alice"}, got.Header["X-Wardkeeper-Subject"])
	require.Empty(t, got.Header["X-Remote-User"])
	require.Equal(t, 403, p.request(t, "GET", "/users/jane", as("mallory"), "X-Remote-User: alice").status)
	require.Equal(t, 401, p.request(t, "GET", "/users/jane", "X-Remote-User: alice").status)
	require.Equal(t, []string{""}, p.request(t, "GET", "/open", "X-Remote-User: alice").arrived(t).Header["X-Wardkeeper-Subject"])
	require.Equal(t, 2, app.count())
}
