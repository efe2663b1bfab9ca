//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// peer is a way to serve decisions.
type peer struct {
	name      string // for -peers
	title     string
	pkg       string // the program
	network   string
	color     string // of its bars
	arguments func(f files, address string) []string
}

// files are what the servers are started with.
type files struct {
	programs  string // the folder
	directory string
	answers   string // of the echo handler
	// policies is the folder policies, not one in it: OPA names data by folders, and without its tables the policy denies
	// everything, quickly.
	policies string
}

// The programs.
const (
	echoPackage       = "./.ci/benchpeers/echo"
	wardkeeperPackage = "./cmd/wardkeeper"
	opaPackage        = "github.com/open-policy-agent/opa"
)

var peers = []peer{
	{"echo", "bare echo handler, TCP", echoPackage, "tcp", gray, func(f files, address string) []string {
		return []string{address, f.answers}
	}},
	{"tcp", "Wardkeeper, TCP", wardkeeperPackage, "tcp", blue, serve("", "warn")},
	{"tcp-log", "Wardkeeper, TCP, access log", wardkeeperPackage, "tcp", blue, serve("", "info")},
	{"unix", "Wardkeeper, Unix socket", wardkeeperPackage, "unix", blue, serve("unix:", "warn")},
	{"unix-log", "Wardkeeper, Unix socket, access log", wardkeeperPackage, "unix", blue, serve("unix:", "info")},
	{"opa", "OPA server, TCP", opaPackage, "tcp", orange, func(f files, address string) []string {
		return []string{"run", "--server", "--addr", address, "--log-level", "error", "--disable-telemetry", "--ignore", "*_test.rego", f.policies}
	}},
}

// serve returns the arguments of Wardkeeper. The access log has the level info.
func serve(scheme, level string) func(files, string) []string {
	return func(f files, address string) []string {
		return []string{"serve", "--addr", scheme + address, "--directory", f.directory, "--log-level", level}
	}
}

// server is a running peer.
type server struct {
	peer
	gogc int

	address string
	cmd     *exec.Cmd
	log     string // the path of what it writes
	ended   chan struct{}
	load    load

	// One element for each round.
	cpu, client measured // processor time per request of the server and of this process, in µs
	rate        measured // requests per second at most
	memory      measured // resident, in MiB
	p50, p99    measured // in ms, at half the rate
}

// ownDefault stands for the collector as a server itself sets it.
const ownDefault = 0

func (s *server) String() string { return s.title + ", " + collector(s.gogc) }

// startServer starts a peer. The server ends with stop, or with the thread that started it.
func startServer(p peer, gogc int, f files, port int, dir string) (*server, error) {
	name := fmt.Sprintf("%s-%d", p.name, gogc)
	s := &server{peer: p, gogc: gogc, address: fmt.Sprintf("127.0.0.1:%d", port), log: filepath.Join(dir, name+".log"), ended: make(chan struct{})}
	if p.network == "unix" {
		s.address = filepath.Join(dir, name+".sock")
	}
	s.cmd = exec.Command(filepath.Join(f.programs, path.Base(p.pkg)), p.arguments(f, s.address)...)
	s.cmd.Env = environment()
	if gogc != ownDefault {
		s.cmd.Env = append(s.cmd.Env, "GOGC="+strconv.Itoa(gogc))
	}
	// Its own process group keeps the Ctrl-C of a terminal from it: it is stopped here. If this process is killed, the kernel does it.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait()
	}()
	return s, nil
}

// environment returns the environment without settings of the servers.
func environment() []string {
	settings := regexp.MustCompile(`^(WARDKEEPER_|OPA_|GOGC=|GOMEMLIMIT=|GODEBUG=|GOMAXPROCS=)`)
	return slices.DeleteFunc(os.Environ(), settings.MatchString)
}

func (s *server) kill() { _ = s.cmd.Process.Kill() }

// stop kills the server and waits until it has ended.
func (s *server) stop() {
	s.kill()
	<-s.ended
}

// waitReady waits until the server accepts connections.
func (s *server) waitReady(ctx context.Context) error {
	for {
		c, err := connect(s.network, s.address)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.ended:
			return errors.New("it ended")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// check asks the server every question and prepares its load. Its error names the first answer that is not the expected one.
func (s *server) check(ctx context.Context, questions []question, connections int) error {
	s.load = load{network: s.network, address: s.address, connections: connections}
	if err := s.waitReady(ctx); err != nil {
		return err
	}
	c, err := connect(s.network, s.address)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	for _, q := range questions {
		if err := ctx.Err(); err != nil {
			return err
		}
		r := s.request(q)
		body, err := c.ask(r)
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		got, err := s.response(body)
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		if !same(got, q.answer) {
			return fmt.Errorf("%s: it decides %+v instead of %+v", q.name, got, q.answer)
		}
		s.load.requests = append(s.load.requests, r)
		s.load.answers = append(s.load.answers, bytes.Clone(body))
	}
	return nil
}

// request returns the request that asks a question.
func (s *server) request(q question) []byte {
	if s.pkg == opaPackage {
		return request("/v1/data/authz/decision", q.input)
	}
	return request("/access/v1/evaluation", q.asked)
}

// response decodes an answer.
func (s *server) response(body []byte) (r authzen.Response, err error) {
	if s.pkg == opaPackage {
		return decisionOf(body)
	}
	err = json.Unmarshal(body, &r)
	return r, err
}

// failed adds to an error which server it is about, and the end of what that wrote.
func (s *server) failed(err error) error {
	const end = 2000
	said, _ := os.ReadFile(s.log)
	return fmt.Errorf("%s: %w\n%s", s, err, said[max(0, len(said)-end):])
}

// measureLoad measures a server that gets as many requests as it answers, and describes the result.
func (s *server) measureLoad(ctx context.Context, duration time.Duration) (result string, err error) {
	if _, _, err := s.load.saturate(ctx, duration/8); err != nil { // warms up
		return "", err
	}
	pid, self := s.cmd.Process.Pid, os.Getpid()
	before, err := processorTimes(pid, self)
	if err != nil {
		return "", err
	}
	requests, elapsed, err := s.load.saturate(ctx, duration)
	if err != nil {
		return "", err
	}
	after, err := processorTimes(pid, self)
	if err != nil {
		return "", err
	}
	memory, err := resident(pid)
	if err != nil {
		return "", err
	}
	perRequest := func(i int) float64 { return float64((after[i] - before[i]).Microseconds()) / float64(requests) }
	cpu, rate := perRequest(0), float64(requests)/elapsed.Seconds()
	s.cpu, s.client = append(s.cpu, cpu), append(s.client, perRequest(1))
	s.rate, s.memory = append(s.rate, rate), append(s.memory, memory)
	return fmt.Sprintf("%.0f µs of processor time per request, %s requests/s, %.0f MiB", cpu, count(rate), memory), nil
}

// measureLatency measures a server that gets half as many requests as the median of what it answered, and describes the result.
func (s *server) measureLatency(ctx context.Context, duration time.Duration) (result string, err error) {
	rate := s.rate.median() / 2
	if _, err := s.load.atRate(ctx, duration/8, rate); err != nil { // warms up
		return "", err
	}
	latencies, err := s.load.atRate(ctx, duration, rate)
	if err != nil {
		return "", err
	}
	slices.Sort(latencies)
	p50, p99 := percentile(latencies, 50).Seconds()*1e3, percentile(latencies, 99).Seconds()*1e3
	s.p50, s.p99 = append(s.p50, p50), append(s.p99, p99)
	return fmt.Sprintf("p50 %.2f ms, p99 %.2f ms at %s requests/s", p50, p99, count(rate)), nil
}
