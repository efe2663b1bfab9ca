package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/adapters/hostile"
)

// Caddy starts Caddy with a configuration, a Caddyfile or JSON, and examines each of its servers.
func Caddy(ctx context.Context, path string, o Options) (Report, error) {
	var report Report
	config, err := adaptCaddy(ctx, path)
	if err != nil {
		return report, err
	}
	o.signsIn = signIn(config)
	w, err := o.openWorkspace()
	if err != nil {
		return report, err
	}
	defer w.close()
	dir := w.dir
	c := &caddyConfig{application: w.trial.Backend.Addr(), sidecar: w.sidecar, certificate: w.certificate, report: &report}
	if err := c.rewrite(config, dir); err != nil {
		return report, err
	}
	data, err := json.Marshal(config)
	if err != nil {
		return report, err
	}
	file := filepath.Join(dir, "caddy.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return report, err
	}
	program, err := findProgram("caddy")
	if err != nil {
		return report, err
	}
	cmd := exec.Command(program, "run", "--config", file)
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	var addrs []string
	for _, server := range c.servers {
		addrs = append(addrs, server.addr)
	}
	stop, err := startProgram(ctx, cmd, hostile.DialTCP, addrs)
	if err != nil {
		return report, err
	}
	defer stop()
	var all []*running
	for _, server := range c.servers {
		all = append(all, w.running(hostile.DialTCP(server.addr), server.host, server.tls, "the server "+server.name+" of "+path))
	}
	return report, examineAll(ctx, all, &report)
}

// adaptCaddy reads a configuration and returns it as decoded JSON. Caddy itself converts a Caddyfile.
func adaptCaddy(ctx context.Context, path string) (map[string]any, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	if !strings.HasSuffix(path, ".json") {
		program, err := findProgram("caddy")
		if err != nil {
			return nil, err
		}
		cmd := exec.CommandContext(ctx, program, "adapt", "--adapter", "caddyfile", "--config", path)
		var faults bytes.Buffer
		cmd.Stderr = &faults
		if data, err = cmd.Output(); err != nil {
			return nil, fmt.Errorf("caddy refuses the configuration: %s", strings.TrimSpace(faults.String()))
		}
	}
	config := map[string]any{}
	if err := json.Unmarshal(data, &config); err != nil {
		return nil, fmt.Errorf("the configuration is not JSON: %w", err)
	}
	return config, nil
}

// caddyConfig rewrites a configuration.
type caddyConfig struct {
	application, sidecar string      // addresses of the doctor's servers
	certificate          certificate // in place of those that the configuration names
	servers              []caddyServer
	report               *Report
	passes               bool // the current server passes requests to an application
}

type caddyServer struct {
	name, addr, host string
	tls              bool
}

func (c *caddyConfig) rewrite(config map[string]any, dir string) error {
	apps, _ := config["apps"].(map[string]any)
	http, _ := apps["http"].(map[string]any)
	servers, _ := http["servers"].(map[string]any)
	if len(servers) == 0 {
		return errors.New("the configuration has no server")
	}
	clear(apps)
	apps["http"] = http
	apps["tls"] = map[string]any{"certificates": map[string]any{"load_files": []any{
		map[string]any{"certificate": c.certificate.file, "key": c.certificate.key, "tags": []any{"doctor"}},
	}}}
	delete(config, "logging")
	config["admin"] = map[string]any{"disabled": true}
	config["storage"] = map[string]any{"module": "file_system", "root": dir}
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		server, _ := servers[name].(map[string]any)
		addr, err := loopbackAddr()
		if err != nil {
			return err
		}
		host := firstHost(server)
		secure := servesTLS(server, host)
		server["listen"] = []any{addr}
		server["automatic_https"] = map[string]any{"disable": true}
		for _, key := range []string{"tls_connection_policies", "logs", "listener_wrappers"} {
			delete(server, key)
		}
		server["protocols"] = withoutHTTP3(server["protocols"])
		if secure {
			server["tls_connection_policies"] = []any{map[string]any{"certificate_selection": map[string]any{"any_tag": []any{"doctor"}}}}
		}
		c.passes = false
		c.walk(server)
		if c.passes {
			c.servers = append(c.servers, caddyServer{name, addr, host, secure})
		}
	}
	if len(c.servers) == 0 {
		return errors.New("no server of the configuration passes requests to an application with reverse_proxy: there is nothing to examine")
	}
	return nil
}

// signIn replaces the accounts of every basicauth with the doctor's person. It reports whether there is one.
func signIn(value any) bool {
	found := false
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			found = signIn(element) || found
		}
	case map[string]any:
		if basic, ok := v["http_basic"].(map[string]any); ok {
			basic["hash"] = map[string]any{"algorithm": "bcrypt"}
			basic["accounts"] = []any{map[string]any{"username": person, "password": base64.StdEncoding.EncodeToString([]byte(passwordHash))}}
			return true
		}
		for _, element := range v {
			found = signIn(element) || found
		}
	}
	return found
}

// walk points every reverse_proxy to one of the doctor's servers.
func (c *caddyConfig) walk(value any) {
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			c.walk(element)
		}
	case map[string]any:
		if v["handler"] == "reverse_proxy" {
			c.proxy(v)
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			c.walk(v[key])
		}
	}
}

// proxy rewrites a reverse_proxy. If it rewrites the request and handles the response itself, it asks the sidecar.
func (c *caddyConfig) proxy(handler map[string]any) {
	to := c.application
	rewrite, _ := handler["rewrite"].(map[string]any)
	if uri, _ := rewrite["uri"].(string); uri != "" && handler["handle_response"] != nil {
		to = c.sidecar
		switch path, query, _ := strings.Cut(uri, "?"); {
		case strings.HasPrefix(path, "/access/v1/"):
			c.report.found("forward_auth asks %s, where a denial has status 200: everybody passes. Ask /adapters/forward-auth.", path)
		case path != "/adapters/forward-auth":
			c.report.found("forward_auth asks %s, which is not where the sidecar answers proxies: ask /adapters/forward-auth.", path)
		case query != "":
			c.report.found("forward_auth asks with the query %s, which is for other proxies: leave it out.", query)
		}
	} else {
		c.passes = true
	}
	handler["upstreams"] = []any{map[string]any{"dial": to}}
	for _, key := range []string{"dynamic_upstreams", "health_checks"} {
		delete(handler, key)
	}
	if transport, ok := handler["transport"].(map[string]any); ok {
		delete(transport, "tls")
	}
}

// withoutHTTP3 returns the protocols of a server that the doctor can examine.
func withoutHTTP3(protocols any) []any {
	known, _ := protocols.([]any)
	if len(known) == 0 {
		return []any{"h1", "h2"}
	}
	return slices.DeleteFunc(known, func(name any) bool { return name == "h3" })
}

// servesTLS reports whether a server serves TLS: because its configuration says so, or by automatic HTTPS, which is for servers
// with a host and another port than 80.
func servesTLS(server map[string]any, host string) bool {
	if policies, _ := server["tls_connection_policies"].([]any); len(policies) > 0 {
		return true
	}
	automatic, _ := server["automatic_https"].(map[string]any)
	listen, _ := server["listen"].([]any)
	return automatic["disable"] != true && host != "" && !slices.ContainsFunc(listen, func(addr any) bool {
		text, _ := addr.(string)
		return strings.HasSuffix(text, ":80")
	})
}

// firstHost returns the first host without wildcards or placeholders that a server's routes match, or "" if there is none.
func firstHost(server map[string]any) string {
	routes, _ := server["routes"].([]any)
	for _, route := range routes {
		object, _ := route.(map[string]any)
		matchers, _ := object["match"].([]any)
		for _, matcher := range matchers {
			object, _ := matcher.(map[string]any)
			hosts, _ := object["host"].([]any)
			for _, host := range hosts {
				if name, ok := host.(string); ok && !strings.ContainsAny(name, "*{") {
					return name
				}
			}
		}
	}
	return ""
}

// loopbackAddr returns an address that no other process is likely to take before the proxy does.
func loopbackAddr() (string, error) {
	host := "127.0.0.1"
	if runtime.GOOS == "linux" { // all of 127.0.0.0/8 is loopback
		var b [3]byte
		_, _ = rand.Read(b[:]) // never fails
		host = fmt.Sprintf("127.%d.%d.%d", 1+b[0]%250, b[1], 1+b[2]%250)
	}
	listener, err := net.Listen("tcp", host+":0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
