//go:build linux

// Command benchpeers measures Wardkeeper beside the stock OPA server and a bare echo handler, on the same questions with the same
// answers: requests per second, processor time per request by the system's accounting, latencies at half the highest rate, and
// memory. The servers are measured in turn, in several rounds, and the medians are written as a table and as a picture. If a server
// does not decide every question as the golden decisions say, nothing is measured. Start with run.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// config configures a run.
type config struct {
	root        string // of the repository
	out         string // the folder for the table and the picture
	rounds      int
	duration    time.Duration // of each of the two measurements of a server in a round
	connections int
	peers       []peer
	gogc        []int // ownDefault: GOGC is not set
	progress    io.Writer
}

func main() {
	cfg := config{root: ".", progress: os.Stderr}
	flag.StringVar(&cfg.out, "out", "bin", "write peers.md and peers.svg to this folder")
	flag.IntVar(&cfg.rounds, "rounds", 5, "how often each server is measured")
	flag.DurationVar(&cfg.duration, "duration", 1500*time.Millisecond, "how long each of a server's two measurements takes in a round")
	flag.IntVar(&cfg.connections, "connections", 8, "connections to a server")
	names := flag.String("peers", strings.Join(peerNames(), ","), "the servers to measure")
	gogc := flag.String("gogc", "default,100,400", "the settings of the collector (GOGC) with which each server is measured; default is the server's own")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := cfg.choose(*names, *gogc)
	if err == nil {
		var written string
		written, err = run(ctx, cfg)
		fmt.Print(written)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchpeers:", err)
		stop()
		os.Exit(1)
	}
}

// choose reads what the flags list, and checks the others.
func (c *config) choose(names, gogc string) error {
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(peers, func(p peer) bool { return p.name == name })
		if i < 0 {
			return fmt.Errorf("there is no server %q: choose from %s", name, strings.Join(peerNames(), ", "))
		}
		c.peers = append(c.peers, peers[i])
	}
	for text := range strings.SplitSeq(gogc, ",") {
		if text == "default" {
			c.gogc = append(c.gogc, ownDefault)
			continue
		}
		percent, err := strconv.Atoi(text)
		if err != nil || percent < 1 {
			return fmt.Errorf("%q is not a setting of GOGC: write a percentage such as 100, or default", text)
		}
		c.gogc = append(c.gogc, percent)
	}
	if c.rounds < 1 || c.connections < 1 || c.duration < 10*time.Millisecond {
		return errors.New("there must be a round, a connection, and 10 ms for a measurement at least")
	}
	return nil
}

func peerNames() (names []string) {
	for _, p := range peers {
		names = append(names, p.name)
	}
	return names
}

func (c *config) say(format string, args ...any) { fmt.Fprintf(c.progress, format+"\n", args...) }

// run starts the servers, checks their decisions, measures them, and returns the table.
func run(ctx context.Context, cfg config) (written string, err error) {
	// The servers are to die with the thread that started them, so that has to stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Each connection has a thread of its own, which blocks.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cfg.connections + runtime.NumCPU()))
	dir, err := os.MkdirTemp("", "benchpeers")
	if err != nil {
		return "", err
	}
	defer func() {
		if ctx.Err() != nil { // what else failed is a consequence
			err = context.Cause(ctx)
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	questions, err := readQuestions(ctx, cfg.root)
	if err != nil {
		return "", err
	}
	cfg.say("building the servers")
	f, err := prepare(ctx, cfg, dir, questions)
	if err != nil {
		return "", err
	}
	servers, stop, err := startAll(cfg, f, dir)
	defer stop()
	defer context.AfterFunc(ctx, func() { // so that nothing waits for an answer
		for _, s := range servers {
			s.kill()
		}
	})()
	if err != nil {
		return "", err
	}
	cfg.say("asking each of %d servers %d questions", len(servers), len(questions))
	for _, s := range servers {
		if err := s.check(ctx, questions, cfg.connections); err != nil {
			return "", fmt.Errorf("nothing is measured: %w", s.failed(err))
		}
	}
	setting := cfg.setting(ctx, questions)
	if err := measure(ctx, cfg, servers); err != nil {
		return "", err
	}
	written = table(setting, servers)
	if err := os.MkdirAll(cfg.out, 0o777); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(cfg.out, "peers.md"), []byte(written), 0o666); err != nil {
		return "", err
	}
	return written, os.WriteFile(filepath.Join(cfg.out, "peers.svg"), []byte(picture(setting, servers)), 0o666)
}

// prepare builds the servers in a folder, and writes the answers of the bare handler there.
func prepare(ctx context.Context, cfg config, dir string, questions []question) (f files, err error) {
	root, err := filepath.Abs(cfg.root)
	if err != nil {
		return f, err
	}
	f = files{programs: dir, policies: filepath.Join(root, "policies"), directory: filepath.Join(root, directoryFile), answers: filepath.Join(dir, "answers.json")}
	args := []string{"build", "-o", dir + "/"}
	for _, p := range cfg.peers {
		if !slices.Contains(args, p.pkg) {
			args = append(args, p.pkg)
		}
	}
	build := exec.CommandContext(ctx, "go", args...)
	build.Dir = root
	build.Cancel = func() error { return build.Process.Signal(os.Interrupt) } // so that it ends the compilers
	if out, err := build.CombinedOutput(); err != nil {
		return f, fmt.Errorf("go build: %w\n%s", err, out)
	}
	answers := map[string]authzen.Response{}
	for _, q := range questions {
		answers[string(q.asked)] = q.answer
	}
	data, err := json.Marshal(answers)
	if err != nil {
		return f, err
	}
	return f, os.WriteFile(f.answers, data, 0o600)
}

// startAll starts each peer with each setting of the collector. The stop function is never nil.
func startAll(cfg config, f files, dir string) (servers []*server, stop func(), err error) {
	var releases []func()
	stop = func() {
		for _, s := range servers {
			s.stop()
		}
		for _, release := range releases {
			release()
		}
	}
	for _, gogc := range cfg.gogc {
		for _, p := range cfg.peers {
			port, release, err := servertest.ReservePort()
			if err != nil {
				return servers, stop, err
			}
			releases = append(releases, release)
			s, err := startServer(p, gogc, f, port, dir)
			if err != nil {
				return servers, stop, err
			}
			servers = append(servers, s)
		}
	}
	return servers, stop, nil
}

// measure measures the servers in turn, in every round: first how much they can, then how fast they are at half of it.
func measure(ctx context.Context, cfg config, servers []*server) error {
	total, done, start := 2*cfg.rounds*len(servers), 0, time.Now()
	cfg.say("measuring for about %s", (time.Duration(total) * cfg.duration * 9 / 8).Round(time.Second))
	for i := range 2 * cfg.rounds {
		for _, s := range rotated(servers, i) {
			measured := s.measureLoad
			if i >= cfg.rounds {
				measured = s.measureLatency
			}
			result, err := measured(ctx, cfg.duration)
			if err != nil {
				return s.failed(err)
			}
			done++
			left := time.Since(start) * time.Duration(total-done) / time.Duration(done)
			cfg.say("%3d of %d, %s left: %s: %s", done, total, left.Round(time.Second), s, result)
		}
	}
	return nil
}

// rotated returns the order of a round. Each begins with another, so that none is always measured first.
func rotated[T any](all []T, round int) []T {
	first := round % len(all)
	return slices.Concat(all[first:], all[:first])
}

// setting describes the machine and the measurement in one line.
func (c *config) setting(ctx context.Context, questions []question) string {
	parts := []string{time.Now().UTC().Format(time.DateOnly)}
	describe := exec.CommandContext(ctx, "git", "-C", c.root, "describe", "--always", "--dirty")
	if revision, err := describe.Output(); err == nil {
		parts = append(parts, "revision "+strings.TrimSpace(string(revision)))
	}
	parts = append(parts, fmt.Sprintf("%s, %d processors", runtime.Version(), runtime.NumCPU()))
	if load, err := os.ReadFile("/proc/loadavg"); err == nil { // others at work make figures worse
		minute, _, _ := strings.Cut(string(load), " ")
		parts = append(parts, "load average "+minute+" before")
	}
	asked, input := 0, 0
	for _, q := range questions {
		asked, input = asked+len(q.asked), input+len(q.input)
	}
	parts = append(parts, fmt.Sprintf("rounds: %d of %s; %d connections; %d questions of %d bytes, with facts %d", c.rounds, c.duration,
		c.connections, len(questions), asked/len(questions), input/len(questions)))
	return strings.Join(parts, "; ")
}
