package main

import (
	"slices"
	"strings"
	"testing"
)

// reported returns what is printed for a run, and whether the run passes.
func reported(short bool, lines ...string) (string, bool) {
	var out strings.Builder
	r := newReport(&out, short)
	r.follow(events(strings.NewReader(strings.Join(lines, "\n"))), nil)
	return out.String(), r.ok()
}

const (
	skipped = `{"Action":"skip","Package":"github.com/o/r/p","Test":"TestA","Elapsed":0}`
	passed  = `{"Action":"pass","Package":"github.com/o/r/p","Elapsed":1.5}`
)

func TestSkippedTestFailsTheRunUnlessShort(t *testing.T) {
	if out, ok := reported(false, skipped, passed); ok || !strings.Contains(out, "SKIPPED, which counts as failed: p TestA") {
		t.Error(ok, out)
	}
	if out, ok := reported(true, skipped, passed); !ok || !strings.Contains(out, "1 were skipped by -short") {
		t.Error(ok, out)
	}
	if out, ok := reported(false, `{"Action":"skip","Package":"github.com/o/r/p","Elapsed":0}`); !ok {
		t.Error("a package without tests is no failure", out)
	}
}

func TestPatternWithoutTestsFailsTheRun(t *testing.T) {
	out, ok := reported(false, `{"Action":"output","Package":"github.com/o/r/p","Output":"ok  \tgithub.com/o/r/p\t0.1s [no tests to run]\n"}`, passed)
	if ok || !strings.Contains(out, "NO TESTS, which counts as failed: p\n") {
		t.Error(ok, out)
	}
}

func TestOutputIsThatOfFailedTests(t *testing.T) {
	out, ok := reported(false,
		`{"Action":"run","Package":"github.com/o/r/p","Test":"TestGood"}`,
		`{"Action":"output","Package":"github.com/o/r/p","Test":"TestGood","Output":"quiet\n"}`,
		`{"Action":"pass","Package":"github.com/o/r/p","Test":"TestGood","Elapsed":0.1}`,
		`{"Action":"run","Package":"github.com/o/r/p","Test":"TestBad"}`,
		`{"Action":"output","Package":"github.com/o/r/p","Test":"TestBad","Output":"because\n"}`,
		`{"Action":"fail","Package":"github.com/o/r/p","Test":"TestBad","Elapsed":0.1}`,
		`{"Action":"run","Package":"github.com/o/r/p","Test":"TestPanics"}`,
		`{"Action":"output","Package":"github.com/o/r/p","Test":"TestPanics","Output":"panic: oh\n"}`,
		`{"Action":"fail","Package":"github.com/o/r/p","Elapsed":2}`)
	for _, want := range []string{"because\n", "panic: oh\n", "FAILED: p TestBad\n", "FAILED: p TestPanics\n", "FAIL        2s  p\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing:\n%s", want, out)
		}
	}
	if ok || strings.Contains(out, "quiet") {
		t.Error(ok, out)
	}
}

func TestPackagesAndSlowTestsAreNamed(t *testing.T) {
	out, ok := reported(false,
		`{"Action":"pass","Package":"github.com/o/r/p/q","Test":"TestSlow","Elapsed":12}`,
		`{"Action":"pass","Package":"github.com/o/r/p/q","Test":"TestSlow/part","Elapsed":11}`,
		`{"Action":"pass","Package":"github.com/o/r/p/q","Elapsed":12.3}`,
		`{"Action":"output","Package":"github.com/o/r/c","Output":"ok  \tgithub.com/o/r/c\t(cached)\n"}`,
		`{"Action":"pass","Package":"github.com/o/r/c","Elapsed":0}`)
	lines := strings.Split(out, "\n")
	for _, want := range []string{"           12s  p/q TestSlow", "ok       12.3s  p/q, 1 tests", "ok      cached  c, 0 tests"} {
		if !slices.Contains(lines, want) {
			t.Errorf("%q is missing:\n%s", want, out)
		}
	}
	if !ok {
		t.Error("nothing failed")
	}
}

func TestBuildFailureIsPrinted(t *testing.T) {
	out, ok := reported(false,
		`{"ImportPath":"github.com/o/r/p","Action":"build-output","Output":"p.go:3: undefined: x\n"}`,
		`{"Action":"fail","Package":"github.com/o/r/p","Elapsed":0,"FailedBuild":"github.com/o/r/p"}`)
	if ok || !strings.Contains(out, "undefined: x\n") {
		t.Error(ok, out)
	}
}

func TestOnlyAccidentsRunAgain(t *testing.T) {
	fail := func(test string) string {
		return `{"Action":"fail","Package":"github.com/o/r/p","Test":"` + test + `","Elapsed":1}`
	}
	const pkg = `{"Action":"fail","Package":"github.com/o/r/p","Elapsed":2}`
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"a test":            {[]string{fail("TestA"), pkg}, "TestA"},
		"a part of it":      {[]string{fail("TestA/x"), fail("TestA/y"), fail("TestA"), pkg}, "TestA"},
		"three tests":       {[]string{fail("TestA"), fail("TestB"), fail("TestC"), pkg}, "TestA TestB TestC"},
		"four tests":        {[]string{fail("TestA"), fail("TestB"), fail("TestC"), fail("TestD"), pkg}, ""},
		"the package alone": {[]string{pkg}, ""},
		"a data race":       {[]string{`{"Action":"output","Package":"github.com/o/r/p","Test":"TestA","Output":"WARNING: DATA RACE\n"}`, fail("TestA"), pkg}, ""},
		"a panic":           {[]string{`{"Action":"output","Package":"github.com/o/r/p","Test":"TestA","Output":"panic: oh\n"}`, fail("TestA"), pkg}, ""},
		"a skipped test":    {[]string{skipped, fail("TestA"), pkg}, ""},
	} {
		r := newReport(&strings.Builder{}, false)
		r.follow(events(strings.NewReader(strings.Join(c.lines, "\n"))), nil)
		if got := strings.Join(r.flaky()["github.com/o/r/p"], " "); got != c.want {
			t.Errorf("%s: %q run again, want %q", name, got, c.want)
		}
	}
	if got := strings.Join(flags([]string{"-timeout", "30m", "-race", "./cmd/x", "github.com/o/r/p", "./..."}), " "); got != "-timeout 30m -race" {
		t.Errorf("the flags are %q", got)
	}
}
