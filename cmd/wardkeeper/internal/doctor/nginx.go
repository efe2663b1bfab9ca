package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/wardkeeper/wardkeeper/adapters/hostile"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/nginxconf"
)

// Nginx starts nginx with a configuration and examines each of its servers.
func Nginx(ctx context.Context, path string, o Options) (Report, error) {
	var report Report
	root, err := nginxconf.Load(path)
	if err != nil {
		return report, err
	}
	o.signsIn = root.Contains("auth_basic_user_file")
	w, err := o.openWorkspace()
	if err != nil {
		return report, err
	}
	defer w.close()
	dir := w.dir
	c := &nginxConfig{
		dir: dir, application: w.trial.Backend.Addr(), sidecar: w.sidecar, certificate: w.certificate, ports: map[string]string{}, report: &report,
	}
	if err := c.rewrite(root); err != nil {
		return report, err
	}
	stop, err := startNginx(ctx, dir, root.String(), c.ports)
	if err != nil {
		return report, err
	}
	defer stop()
	var all []*running
	for _, server := range c.servers {
		r := w.running(hostile.DialUnix(server.addr), server.host, server.tls, "the server at "+server.at.Where())
		all = append(all, r)
	}
	return report, examineAll(ctx, all, &report)
}

// nginxConfig rewrites a configuration.
type nginxConfig struct {
	dir                  string
	application, sidecar string            // addresses of the doctor's servers
	certificate          certificate       // in place of those that the configuration names
	ports                map[string]string // the doctor's socket for each port of the configuration
	servers              []nginxServer
	report               *Report
	upstreams            map[string]string // the address that replaces each upstream, by name
}

// nginxServer is a server that passes requests to the application.
type nginxServer struct {
	at         *nginxconf.Directive
	addr, host string
	tls        bool
}

// leftOut lists directives to remove: they write outside the doctor's folder, need files that only nginx may read, or limit
// requests or connections.
var leftOut = []string{
	"user", "pid", "daemon", "master_process", "worker_processes", "worker_cpu_affinity", "worker_rlimit_nofile", "error_log", "access_log", "events", "stream", "mail", "lock_file", "env", "pcre_jit",
	"client_body_temp_path", "proxy_temp_path", "fastcgi_temp_path", "uwsgi_temp_path", "scgi_temp_path", "limit_req", "limit_conn", "http3", "quic_retry",
}

// otherApplications lists directives that pass requests to applications that do not speak HTTP/1.1.
var otherApplications = []string{"fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "memcached_pass"}

func isLeftOut(d *nginxconf.Directive) bool {
	return slices.Contains(leftOut, d.Name) || strings.HasPrefix(d.Name, "ssl_") || strings.HasPrefix(d.Name, "proxy_ssl_")
}

func prune(d *nginxconf.Directive) {
	d.Block = slices.DeleteFunc(d.Block, isLeftOut)
	for _, child := range d.Block {
		prune(child)
	}
}

func (c *nginxConfig) rewrite(root *nginxconf.Directive) error {
	if root.Contains("ssl_verify_client") {
		c.report.note("The doctor has no client certificate: ssl_verify_client was left out.")
	}
	people := filepath.Join(c.dir, "people")
	if err := os.WriteFile(people, []byte(person+":{PLAIN}"+password+"\n"), 0o600); err != nil {
		return err
	}
	root.Walk(func(d *nginxconf.Directive) {
		if d.Name == "auth_basic_user_file" && d.Arg(0) != "off" {
			d.SetArgs(people)
		}
	})
	prune(root)
	blocks := root.All("http")
	switch {
	case len(blocks) > 1:
		return fmt.Errorf("%s: there is a second http block", blocks[1].Where())
	case len(blocks) == 0: // a file to be included in an http block
		block := nginxconf.New("http")
		block.HasBlock, block.Block = true, root.Block
		blocks, root.Block = []*nginxconf.Directive{block}, []*nginxconf.Directive{block}
	}
	http := blocks[0]
	servers := http.All("server")
	if len(servers) == 0 {
		return errors.New("the configuration has no server")
	}
	c.upstreams = map[string]string{}
	for _, server := range servers {
		if err := c.server(http, server); err != nil {
			return err
		}
	}
	if len(c.servers) == 0 {
		return errors.New("no server of the configuration passes requests to an application with proxy_pass: there is nothing to examine")
	}
	if err := c.rewriteUpstreams(http); err != nil {
		return err
	}
	for i, d := range http.All("proxy_cache_path") {
		d.Args = append(nginxconf.New("", filepath.Join(c.dir, "cache"+strconv.Itoa(i))).Args, d.Args[min(1, len(d.Args)):]...)
	}
	settings := []*nginxconf.Directive{
		nginxconf.New("access_log", "off"), nginxconf.New("ssl_certificate", c.certificate.file), nginxconf.New("ssl_certificate_key", c.certificate.key),
	}
	for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		settings = append(settings, nginxconf.New(name+"_temp_path", filepath.Join(c.dir, "tmp")))
	}
	http.Block = append(settings, http.Block...)
	events := nginxconf.New("events")
	events.HasBlock = true
	main := []*nginxconf.Directive{nginxconf.New("daemon", "off"), nginxconf.New("worker_processes", "1"), nginxconf.New("pid", filepath.Join(c.dir, "nginx.pid"))}
	if os.Getuid() == 0 {
		main = append(main, nginxconf.New("user", "root")) // only root can write to the folder
	}
	root.Block = append(append(main, events), root.Block...)
	return nil
}

// server rewrites a server and reports its faults.
func (c *nginxConfig) server(http, server *nginxconf.Directive) error {
	addr, secure, err := c.listen(server)
	if err != nil {
		return err
	}
	paths := askedPaths(server)
	for _, d := range http.All("auth_request") {
		if d.Arg(0) != "off" && !slices.Contains(paths, d.Arg(0)) {
			paths = append(paths, d.Arg(0))
		}
	}
	x := &nginxScope{config: c, asked: paths, chain: []*nginxconf.Directive{http, server}}
	if err := x.walk(server); err != nil {
		return err
	}
	if !x.passes {
		return nil
	}
	s := nginxServer{at: server, addr: addr, tls: secure}
	for _, names := range server.All("server_name") {
		for i := range names.Args {
			if name := names.Arg(i); s.host == "" && name != "" && name != "_" && !strings.ContainsAny(name, "*~$") && !strings.HasPrefix(name, ".") {
				s.host = name
			}
		}
	}
	c.servers = append(c.servers, s)
	return nil
}

// listen replaces the ports of a server with the doctor's sockets, which no other process can take. It returns the one to
// examine, with TLS if any has it.
func (c *nginxConfig) listen(server *nginxconf.Directive) (addr string, secure bool, _ error) {
	always := len(server.All("ssl")) > 0 && server.All("ssl")[0].Arg(0) == "on"
	listens := server.All("listen")
	if len(listens) == 0 {
		listens = []*nginxconf.Directive{nginxconf.New("listen", "80")}
	}
	server.Block = slices.DeleteFunc(server.Block, func(d *nginxconf.Directive) bool { return d.Name == "listen" || d.Name == "ssl" })
	var used []string
	for _, d := range listens {
		var flags []string
		quic := false
		tls := always || slices.ContainsFunc(d.Args, func(a nginxconf.Arg) bool { return a.Text == "ssl" })
		if tls {
			flags = append(flags, "ssl")
		}
		for _, a := range d.Args[min(1, len(d.Args)):] {
			switch a.Text {
			case "default_server", "default":
				flags = append(flags, "default_server")
			case "proxy_protocol":
				return "", false, fmt.Errorf("%s: the proxy protocol cannot be examined", d.Where())
			case "quic":
				quic = true
			case "http2":
				if tls { // without TLS there would be no HTTP/1.1
					flags = append(flags, "http2")
				}
			}
		}
		if quic {
			continue
		}
		port := portOf(d.Arg(0))
		at, ok := c.ports[port]
		if !ok {
			at = filepath.Join(c.dir, fmt.Sprintf("listen%d.sock", len(c.ports)))
			c.ports[port] = at
		}
		if slices.Contains(used, at) {
			continue
		}
		used = append(used, at)
		if len(used) == 1 || tls && !secure {
			addr, secure = at, tls
		}
		server.Block = append([]*nginxconf.Directive{nginxconf.New("listen", append([]string{"unix:" + at}, flags...)...)}, server.Block...)
	}
	if len(used) == 0 {
		return "", false, fmt.Errorf("%s: HTTP/3 alone cannot be examined", server.Where())
	}
	return addr, secure, nil
}

// portOf returns the port of a listen directive, or the address of its Unix socket.
func portOf(address string) string {
	if strings.HasPrefix(address, "unix:") {
		return address
	}
	if i := strings.LastIndexByte(address, ':'); i >= 0 && !strings.HasSuffix(address, "]") {
		return address[i+1:]
	}
	if _, err := strconv.Atoi(address); err == nil {
		return address
	}
	return "80"
}

// askedPaths returns the arguments of auth_request.
func askedPaths(d *nginxconf.Directive) []string {
	var paths []string
	for _, child := range d.Block {
		if child.Name == "auth_request" && child.Arg(0) != "off" && !slices.Contains(paths, child.Arg(0)) {
			paths = append(paths, child.Arg(0))
		}
		paths = append(paths, askedPaths(child)...)
	}
	return paths
}

// rewriteUpstreams points every upstream to one of the doctor's servers. It removes unused upstreams.
func (c *nginxConfig) rewriteUpstreams(http *nginxconf.Directive) error {
	http.Block = slices.DeleteFunc(http.Block, func(d *nginxconf.Directive) bool {
		_, used := c.upstreams[d.Arg(0)]
		return d.Name == "upstream" && !used
	})
	for _, u := range http.All("upstream") {
		u.Block = slices.DeleteFunc(u.Block, func(d *nginxconf.Directive) bool { return d.Name == "server" })
		u.Block = append([]*nginxconf.Directive{nginxconf.New("server", c.upstreams[u.Arg(0)])}, u.Block...)
	}
	return nil
}

func startNginx(ctx context.Context, dir, text string, addrs map[string]string) (stop func(), err error) {
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, err
	}
	program, err := findProgram("nginx")
	if err != nil {
		return nil, err
	}
	args := []string{"-p", dir, "-c", path, "-e", filepath.Join(dir, "error.log")}
	if out, err := exec.CommandContext(ctx, program, append([]string{"-t"}, args...)...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("nginx refuses the configuration with the doctor's servers in it: %s", strings.TrimSpace(strings.ReplaceAll(string(out), path, "nginx.conf")))
	}
	return startProgram(ctx, exec.Command(program, args...), hostile.DialUnix, slices.Collect(maps.Values(addrs)))
}
