package smt_test

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// solver is a z3 that runs and is asked one question after another. It is not safe for concurrent use.
type solver struct {
	t   *testing.T
	in  *bufio.Writer
	out *bufio.Reader

	named int // how many conditions have a name
}

// start starts z3. It ends with the test.
func start(t *testing.T) *solver {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "z3", "-in", "-smt2")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start(), "the Debian package z3 has it; .ci/prerequisites installs it")
	t.Cleanup(func() {
		_ = in.Close() // which ends it; after a failure its context does
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	})
	return &solver{t: t, in: bufio.NewWriterSize(in, 1<<16), out: bufio.NewReader(out)}
}

// say writes a command that has no output.
func (s *solver) say(format string, args ...any) {
	_, err := fmt.Fprintf(s.in, format+"\n", args...)
	require.NoError(s.t, err)
}

// line writes a command with output and returns its first line.
func (s *solver) line(command string) string {
	s.t.Helper()
	s.say("%s", command)
	require.NoError(s.t, s.in.Flush())
	return s.read()
}

func (s *solver) read() string {
	s.t.Helper()
	line, err := s.out.ReadString('\n')
	require.NoError(s.t, err, "z3 ended")
	return strings.TrimSpace(line)
}

// name declares a constant for a condition, so that z3 translates it once.
func (s *solver) name(condition string) string {
	s.named++
	name := fmt.Sprintf("condition-%d", s.named)
	s.say("(declare-const %s Bool)\n(assert (= %s %s))", name, name, condition)
	return name
}

// possible reports whether conditions, which are constants or their negations, can hold together with what was asserted. An answer
// that is neither yes nor no, such as a complaint about what was said before, fails the test.
func (s *solver) possible(conditions ...string) bool {
	s.t.Helper()
	answer := s.line("(check-sat-assuming (" + strings.Join(conditions, " ") + "))")
	require.Contains(s.t, []string{"sat", "unsat"}, answer)
	return answer == "sat"
}

var number = regexp.MustCompile(`#x([0-9a-f]{2})\)`)

// values returns the values of constants in the case that the last question found possible, among those of their sort.
func (s *solver) values(constants []string, sort []string) []string {
	s.t.Helper()
	s.say("(get-value (%s))", strings.Join(constants, " "))
	var text string
	for line := s.line(`(echo "end")`); line != "end"; line = s.read() {
		text += line
	}
	found := number.FindAllStringSubmatch(text, -1)
	require.Len(s.t, found, len(constants), "%s", text)
	values := make([]string, len(found))
	for i, f := range found {
		n, err := strconv.ParseUint(f[1], 16, 8)
		require.NoError(s.t, err)
		require.Less(s.t, int(n), len(sort))
		values[i] = sort[n]
	}
	return values
}
