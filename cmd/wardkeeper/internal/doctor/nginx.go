package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

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
	table, site, err := o.table()
	if err != nil {
		return report, err
	}
	trial, err := hostile.NewTrial(table, site)
	if err != nil {
		return report, err
	}
	defer func() { _ = trial.Close() }()
	dir, err := os.MkdirTemp("", "wardkeeper-doctor")
	if err != nil {
		return report, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	judge, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return report, err
	}
	trial.Judge.Serve(judge)
	c := &nginxConfig{dir: dir, application: trial.Backend.Addr(), sidecar: judge.Addr().String(), ports: map[string]string{}, report: &report}
	if err := c.rewrite(root); err != nil {
		return report, err
	}
	stop, err := startNginx(ctx, dir, root.String(), c.ports)
	if err != nil {
		return report, err
	}
	defer stop()
	for _, server := range c.servers {
		r := &running{trial: trial, dial: hostile.DialUnix(server.addr), site: site, where: "the server at " + server.at.Where()}
		if server.host != "" {
			r.site.Host = server.host
		}
		if err := r.examine(ctx, &report); err != nil {
			return report, err
		}
	}
	trial.Judge.Close()
	for _, server := range c.servers {
		r := &running{trial: trial, dial: hostile.DialUnix(server.addr), site: site, where: "the server at " + server.at.Where()}
		if server.host != "" {
			r.site.Host = server.host
		}
		if err := r.statuses(ctx, &report, hostile.Cases(r.site)[:4], hostile.Allow, 503, "while the sidecar is down"); err != nil {
			return report, err
		}
	}
	return report, nil
}

// nginxConfig rewrites a configuration.
type nginxConfig struct {
	dir                  string
	application, sidecar string            // addresses of the doctor's servers
	ports                map[string]string // the doctor's socket for each port of the configuration
	servers              []nginxServer
	report               *Report
	upstreams            map[string]string // the address that replaces each upstream, by name
}

// nginxServer is a server that passes requests to the application.
type nginxServer struct {
	at         *nginxconf.Directive
	addr, host string
}

// leftOut lists directives to remove: they write outside the doctor's folder, need TLS, or limit requests or connections.
var leftOut = []string{
	"user", "pid", "daemon", "master_process", "worker_processes", "worker_cpu_affinity", "worker_rlimit_nofile", "error_log", "access_log", "events", "stream", "mail", "lock_file", "env", "pcre_jit",
	"client_body_temp_path", "proxy_temp_path", "fastcgi_temp_path", "uwsgi_temp_path", "scgi_temp_path", "limit_req", "limit_conn", "http2", "http3", "quic_retry",
}

// otherApplications lists directives that pass requests to applications that do not speak HTTP/1.1.
var otherApplications = []string{"fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "memcached_pass"}

func isLeftOut(d *nginxconf.Directive) bool {
	return slices.Contains(leftOut, d.Name) || strings.HasPrefix(d.Name, "ssl_") || strings.HasPrefix(d.Name, "proxy_ssl_") || d.Name == "ssl"
}

func prune(d *nginxconf.Directive) {
	d.Block = slices.DeleteFunc(d.Block, isLeftOut)
	for _, child := range d.Block {
		prune(child)
	}
}

func (c *nginxConfig) rewrite(root *nginxconf.Directive) error {
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
	settings := []*nginxconf.Directive{nginxconf.New("access_log", "off")}
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
	addr, err := c.listen(server)
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
	s := nginxServer{at: server, addr: addr}
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

// listen replaces the ports of a server with the doctor's sockets, which no other process can take. It returns the first one.
func (c *nginxConfig) listen(server *nginxconf.Directive) (first string, _ error) {
	listens := server.All("listen")
	if len(listens) == 0 {
		listens = []*nginxconf.Directive{nginxconf.New("listen", "80")}
	}
	server.Block = slices.DeleteFunc(server.Block, func(d *nginxconf.Directive) bool { return d.Name == "listen" })
	var used []string
	for _, d := range listens {
		var flags []string
		for _, a := range d.Args[min(1, len(d.Args)):] {
			switch a.Text {
			case "default_server", "default":
				flags = append(flags, "default_server")
			case "proxy_protocol":
				return "", fmt.Errorf("%s: the proxy protocol cannot be examined", d.Where())
			}
		}
		port := portOf(d.Arg(0))
		addr, ok := c.ports[port]
		if !ok {
			addr = filepath.Join(c.dir, fmt.Sprintf("listen%d.sock", len(c.ports)))
			c.ports[port] = addr
		}
		if slices.Contains(used, addr) {
			continue
		}
		used = append(used, addr)
		server.Block = append([]*nginxconf.Directive{nginxconf.New("listen", append([]string{"unix:" + addr}, flags...)...)}, server.Block...)
	}
	return used[0], nil
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

// nginxScope is a server or a location, with the blocks that it inherits from.
type nginxScope struct {
	config *nginxConfig
	asked  []string // the paths at which auth_request asks
	chain  []*nginxconf.Directive
	passes bool // it passes requests to the application
}

// effective returns the directives of a name that are in force: those of the innermost block that has any of them.
func (x *nginxScope) effective(name string) []*nginxconf.Directive {
	for i := len(x.chain) - 1; i >= 0; i-- {
		if found := x.chain[i].All(name); len(found) > 0 {
			return found
		}
	}
	return nil
}

// sets returns the value to which proxy_set_header sets a field.
func (x *nginxScope) sets(field string) (value string, ok bool) {
	for _, d := range x.effective("proxy_set_header") {
		if strings.EqualFold(d.Arg(0), field) {
			return d.Arg(1), true
		}
	}
	return "", false
}

func (x *nginxScope) walk(block *nginxconf.Directive) error {
	for _, d := range block.Block {
		switch {
		case slices.Contains(otherApplications, d.Name):
			return fmt.Errorf("%s: the doctor can stand in for applications behind proxy_pass alone, not behind %s: examine the running deployment with --url", d.Where(), d.Name)
		case d.Name == "proxy_pass":
			if err := x.pass(block, d); err != nil {
				return err
			}
		case d.Name == "satisfy" && d.Arg(0) == "any":
			x.config.report.found("%s: \"satisfy any\" lets requests through that the sidecar denies, if another check permits them: remove it.", d.Where())
		case d.HasBlock:
			inner := &nginxScope{config: x.config, asked: x.asked, chain: append(slices.Clone(x.chain), d)}
			if err := inner.walk(d); err != nil {
				return err
			}
			x.passes = x.passes || inner.passes
		}
	}
	return nil
}

// isAsked reports whether a block is the location where auth_request asks.
func (x *nginxScope) isAsked(block *nginxconf.Directive) bool {
	return block.Name == "location" && len(block.Args) > 0 && slices.Contains(x.asked, block.Args[len(block.Args)-1].Text)
}

// pass rewrites a proxy_pass and reports the faults of its block.
func (x *nginxScope) pass(block, d *nginxconf.Directive) error {
	target, err := splitPass(d)
	if err != nil {
		return err
	}
	sidecar := x.isAsked(block)
	to := x.config.application
	if sidecar {
		to = x.config.sidecar
		x.question(block, d, target)
	} else {
		x.passes = true
		x.application(block, d, target)
	}
	if previous, ok := x.config.upstreams[target.authority]; ok && previous != to {
		return fmt.Errorf("%s: %s is the application and the sidecar too: give the sidecar an address of its own", d.Where(), target.authority)
	}
	x.config.upstreams[target.authority] = to
	if x.named(target.authority) {
		d.SetArgs("http://" + target.authority + target.path)
		return nil
	}
	d.SetArgs("http://" + to + target.path)
	return nil
}

func (x *nginxScope) named(authority string) bool {
	return slices.ContainsFunc(x.chain[0].All("upstream"), func(u *nginxconf.Directive) bool { return u.Arg(0) == authority })
}

// application reports the faults of a location that passes requests to the application.
func (x *nginxScope) application(block, d *nginxconf.Directive, target passTarget) {
	report := x.config.report
	if auth := x.effective("auth_request"); len(auth) == 0 || auth[0].Arg(0) == "off" {
		report.found("%s: nobody is asked about requests to %s: set auth_request there, or in the server.", d.Where(), describe(block))
	}
	switch {
	case strings.Contains(target.path, "$"):
		report.found("%s: proxy_pass has variables in its path, so that the application need not get the path that was judged: leave the path out.", d.Where())
	case target.path != "":
		report.found("%s: proxy_pass has the path %s, so that the application gets another path than the one that was judged: leave the path out.", d.Where(), target.path)
	}
	for _, field := range []string{"X-Wardkeeper-Subject", "X-Wardkeeper-Obligations"} {
		if value, ok := x.sets(field); !ok {
			report.found("%s: the application is not told %s: set it with proxy_set_header to what auth_request_set takes from the sidecar's answer.", d.Where(), field)
		} else if strings.Contains(value, "$http_") {
			report.found("%s: %s is what the person sent: set it to what auth_request_set takes from the sidecar's answer.", d.Where(), field)
		}
	}
}

// question reports the faults of the location that asks the sidecar.
func (x *nginxScope) question(block, d *nginxconf.Directive, target passTarget) {
	report := x.config.report
	path, query, _ := strings.Cut(target.path, "?")
	switch values, _ := url.ParseQuery(query); {
	case strings.HasPrefix(path, "/access/v1/"):
		report.found("%s: auth_request asks %s, where a denial has status 200: everybody passes. Ask /adapters/forward-auth?as=nginx.", d.Where(), path)
	case path != "/adapters/forward-auth":
		report.found("%s: auth_request asks %s, which is not where the sidecar answers proxies: ask /adapters/forward-auth?as=nginx.", d.Where(), or(path, "the path of the location"))
	case values.Get("as") != "nginx":
		report.found("%s: nginx turns the sidecar's 400 and 503 into 500: ask /adapters/forward-auth?as=nginx.", d.Where())
	}
	for field, good := range map[string][]string{
		"X-Forwarded-Method": {"$request_method"}, "X-Forwarded-Uri": {"$request_uri"}, "X-Forwarded-Host": {"$http_host", "$host"},
	} {
		switch value, ok := x.sets(field); {
		case !ok:
			report.found("%s: the sidecar takes %s from the person: set it with proxy_set_header to %s.", d.Where(), field, good[0])
		case !slices.Contains(good, value):
			report.found("%s: %s is %s, which need not be what the application gets: set it to %s.", d.Where(), field, value, good[0])
		}
	}
	if len(block.All("internal")) == 0 {
		report.found("%s: people can ask the sidecar themselves: write \"internal;\" into %s.", d.Where(), describe(block))
	}
	if cache := x.effective("proxy_cache"); len(cache) > 0 && cache[0].Arg(0) != "off" {
		report.found("%s: decisions are cached, so that one is in force after the sidecar would say another: remove proxy_cache.", cache[0].Where())
	}
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func describe(block *nginxconf.Directive) string {
	var words []string
	for i := range block.Args {
		words = append(words, block.Arg(i))
	}
	return strings.Join(append([]string{block.Name}, words...), " ")
}

// passTarget is the target of a proxy_pass.
type passTarget struct {
	authority string // a host with its port, the name of an upstream, or unix:/PATH
	path      string // "" if there is none
}

func splitPass(d *nginxconf.Directive) (passTarget, error) {
	scheme, rest, ok := strings.Cut(d.Arg(0), "://")
	if !ok || scheme != "http" && scheme != "https" {
		return passTarget{}, fmt.Errorf("%s: the doctor cannot tell where %s leads: write http://HOST, without variables before the path", d.Where(), d.Arg(0))
	}
	if path, ok := strings.CutPrefix(rest, "unix:"); ok {
		socket, path, _ := strings.Cut(path, ":")
		return passTarget{"unix:" + socket, path}, nil
	}
	t := passTarget{authority: rest}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		t.authority, t.path = rest[:i], rest[i:]
	}
	if strings.Contains(t.authority, "$") {
		return t, fmt.Errorf("%s: the doctor cannot tell where %s leads: write http://HOST, without variables before the path", d.Where(), d.Arg(0))
	}
	return t, nil
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

// startTimeout limits how long a proxy may take to listen.
const startTimeout = 60 * time.Second

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

// findProgram finds a program in PATH, or in folders that often only root has in PATH.
func findProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/usr/local/bin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed here: install it, or examine the running deployment with --url", name)
}

// startProgram starts a proxy and waits until it listens.
func startProgram(ctx context.Context, cmd *exec.Cmd, dial func(string) func(context.Context) (net.Conn, error), addrs []string) (stop func(), err error) {
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, addr := range addrs {
		for {
			conn, err := dial(addr)(ctx)
			if err == nil {
				_ = conn.Close()
				break
			}
			select {
			case <-ended:
				return nil, fmt.Errorf("%s ended at once: %s", filepath.Base(cmd.Path), strings.TrimSpace(output.String()))
			case <-ctx.Done():
				stop()
				return nil, fmt.Errorf("%s does not listen: %w", filepath.Base(cmd.Path), err)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	return stop, nil
}
