// Command gotest runs `go test -json` with its own arguments and prints the progress: each package as it ends, each slow
// test, and, before the screen is silent for long, which tests are running. If a test fails, its output is printed, and it runs
// once more, alone: if it then passes, it is named as flaky, and does not fail the run. A data race or a panic always does. A
// skipped test fails the run, unless -short is among the arguments: a missing server must not pass for a proof. So does a -run that
// matches no test.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

const (
	slow     = 10 * time.Second // tests that take longer are printed as they end
	silent   = 15 * time.Second // after this long without a line, the running tests are printed
	maxFlaky = 3                // if more tests fail, none is run again
)

// event is a line of `go test -json`: see `go doc test2json` and `go help buildjson`.
type event struct {
	Action  string
	Package string
	Test    string
	Elapsed float64 // seconds
	Output  string

	ImportPath string // of a build
}

func main() {
	args := os.Args[1:]
	r, err := run(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		os.Exit(1)
	}
	if r.ok() {
		return
	}
	again := r.flaky()
	if len(again) == 0 {
		os.Exit(1)
	}
	for pkg, tests := range again {
		second, err := run(append(flags(args), "-count=1", "-run=^("+strings.Join(tests, "|")+")$", pkg))
		if err != nil || !second.ok() {
			os.Exit(1)
		}
	}
	for pkg, tests := range again {
		for _, test := range tests {
			r.say("FLAKY: %s failed, and passed when it ran alone: find out why", name{pkg, test})
		}
	}
}

// run runs go test. The error is one of starting it; what it says of the tests is in the report.
func run(args []string) (*report, error) {
	fmt.Println("go test", strings.Join(args, " "))
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	r := newReport(os.Stdout, slices.Contains(args, "-short"))
	r.follow(events(out), time.NewTicker(time.Second).C)
	r.broken = cmd.Wait() != nil
	return r, nil
}

// flags returns the arguments that are not packages.
func flags(args []string) []string {
	return slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return strings.HasPrefix(arg, "./") || strings.Contains(arg, ".com/") })
}

// events decodes the lines of a run. A line that is not JSON is output of the go command.
func events(in io.Reader) <-chan event {
	all := make(chan event)
	go func() {
		defer close(all)
		lines := bufio.NewReader(in)
		for {
			line, err := lines.ReadString('\n')
			var e event
			if json.Unmarshal([]byte(line), &e) != nil && line != "" {
				e = event{Action: "build-output", Output: line}
			}
			if line != "" {
				all <- e
			}
			if err != nil {
				return
			}
		}
	}()
	return all
}

// name identifies a test, or a package where the test is empty.
type name struct{ pkg, test string }

func (n name) String() string {
	pkg := n.pkg
	if parts := strings.SplitN(pkg, "/", 4); len(parts) == 4 {
		pkg = parts[3] // without the module's path
	}
	return strings.TrimSuffix(pkg+" "+n.test, " ")
}

type report struct {
	w     io.Writer
	short bool

	began   time.Time
	printed time.Time
	output  map[name][]string  // of packages and tests that have not ended
	running map[name]time.Time // top-level tests, and when they started
	passed  map[string]int     // top-level tests by package
	cached  map[string]bool
	failed  []name
	skipped []name
	empty   []name // packages in which -run finds no test
	serious bool   // there was a data race or a panic
	broken  bool   // go test failed
}

func newReport(w io.Writer, short bool) *report {
	now := time.Now()
	return &report{w: w, short: short, began: now, printed: now, output: map[name][]string{}, running: map[name]time.Time{},
		passed: map[string]int{}, cached: map[string]bool{}}
}

func (r *report) follow(all <-chan event, tick <-chan time.Time) {
	for {
		select {
		case e, more := <-all:
			if !more {
				r.end()
				return
			}
			r.take(e)
		case now := <-tick:
			if now.Sub(r.printed) > silent {
				r.sayRunning(now)
			}
		}
	}
}

func (r *report) take(e event) {
	n := name{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		r.say("%s", strings.TrimRight(e.Output, "\n"))
	case "output":
		if strings.HasPrefix(e.Output, "=== ") { // RUN, PAUSE and CONT are events too
			return
		}
		r.output[n] = append(r.output[n], e.Output)
		if strings.Contains(e.Output, "DATA RACE") || strings.HasPrefix(e.Output, "panic: ") {
			r.serious = true
		}
		if strings.Contains(e.Output, "[no tests to run]") {
			r.empty = append(r.empty, n)
		}
		if e.Test == "" && strings.Contains(e.Output, "\t(cached)") {
			r.cached[e.Package] = true
		}
	case "pause": // until other tests are done
		delete(r.running, n)
	case "run", "cont":
		if !strings.Contains(e.Test, "/") {
			r.running[n] = time.Now()
		}
	case "pass", "fail", "skip":
		r.ended(n, e)
	}
}

func (r *report) ended(n name, e event) {
	took := time.Duration(e.Elapsed * float64(time.Second)).Round(100 * time.Millisecond)
	top := !strings.Contains(n.test, "/")
	switch {
	case e.Action == "fail":
		r.failed = append(r.failed, n)
		r.flush(n)
		if n.test == "" {
			r.flushPackage(n.pkg) // tests that a panic interrupted
			r.say("FAIL   %7s  %s", took, n)
		}
	case n.test == "" && e.Action == "skip": // the package has no tests
	case e.Action == "skip":
		r.skipped = append(r.skipped, n)
		if !r.short {
			r.flush(n)
		}
	case n.test == "":
		if r.cached[n.pkg] {
			r.say("ok      cached  %s, %d tests", n, r.passed[n.pkg])
		} else {
			r.say("ok     %7s  %s, %d tests", took, n, r.passed[n.pkg])
		}
	case top:
		r.passed[n.pkg]++
		if took > slow && !r.cached[n.pkg] {
			r.say("       %7s  %s", took, n)
		}
	}
	delete(r.output, n)
	delete(r.running, n)
}

// flush prints the output of a test.
func (r *report) flush(n name) {
	for _, line := range r.output[n] {
		r.say("%s", strings.TrimRight(line, "\n"))
	}
	delete(r.output, n)
}

func (r *report) flushPackage(pkg string) {
	for n := range r.output {
		if n.pkg == pkg {
			r.flush(n)
		}
	}
	for n := range r.running {
		if n.pkg == pkg {
			r.failed = append(r.failed, n)
			delete(r.running, n)
		}
	}
}

func (r *report) sayRunning(now time.Time) {
	var tests []name
	for n := range r.running {
		tests = append(tests, n)
	}
	slices.SortFunc(tests, func(a, b name) int { return r.running[a].Compare(r.running[b]) })
	var said []string
	for _, n := range tests[:min(3, len(tests))] {
		said = append(said, fmt.Sprintf("%s (%s)", n, now.Sub(r.running[n]).Round(time.Second)))
	}
	if len(said) == 0 {
		said = []string{"building"}
	}
	r.say("  at   %7s  %s", now.Sub(r.began).Round(time.Second), strings.Join(said, ", "))
}

func (r *report) end() {
	total := 0
	for _, n := range r.passed {
		total += n
	}
	r.say("%d tests passed in %s", total, time.Since(r.began).Round(time.Second))
	for _, n := range r.failed {
		if n.test != "" {
			r.say("FAILED: %s", n)
		}
	}
	for _, n := range r.empty {
		r.say("NO TESTS, which counts as failed: %s", n)
	}
	if r.short {
		r.say("%d were skipped by -short: make test runs them", len(r.skipped))
		return
	}
	for _, n := range r.skipped {
		r.say("SKIPPED, which counts as failed: %s", n)
	}
}

func (r *report) ok() bool {
	return !r.broken && len(r.failed) == 0 && len(r.empty) == 0 && (r.short || len(r.skipped) == 0)
}

// flaky returns the tests, by package, that may have failed by accident: on a busy machine, one of hundreds that wait for servers can. They
// are few, and nothing but a test has failed. A data race or a panic is never an accident.
func (r *report) flaky() map[string][]string {
	if r.serious || r.short || len(r.skipped) > 0 {
		return nil
	}
	tests, packages, count := map[string][]string{}, map[string]bool{}, 0
	for _, n := range r.failed {
		top, _, _ := strings.Cut(n.test, "/")
		switch {
		case top == "":
			packages[n.pkg] = true
		case !slices.Contains(tests[n.pkg], top):
			tests[n.pkg] = append(tests[n.pkg], top)
			count++
		}
	}
	for pkg := range packages {
		if len(tests[pkg]) == 0 { // it did not build, or ended by itself
			return nil
		}
	}
	if count > maxFlaky {
		return nil
	}
	return tests
}

func (r *report) say(format string, args ...any) {
	fmt.Fprintf(r.w, format+"\n", args...)
	r.printed = time.Now()
}
