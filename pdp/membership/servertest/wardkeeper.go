package servertest

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// BuildWardkeeper builds the binary, and returns its path.
func BuildWardkeeper(t testing.TB) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), "wardkeeper")
	output, err := exec.Command("go", "build", "-o", binary, "github.com/wardkeeper/wardkeeper/cmd/wardkeeper").CombinedOutput()
	require.NoError(t, err, "%s", output)
	return binary
}

// Wardkeeper is a running `wardkeeper serve`.
type Wardkeeper struct {
	URL     string
	Process *os.Process
}

var urlInLog = regexp.MustCompile(`"url":"([^"]+)"`)

// StartWardkeeper starts `wardkeeper serve` with arguments and, in addition to the test's own, environment variables. It returns once the
// server serves, at a free port. A server may be killed or suspended.
func StartWardkeeper(t testing.TB, binary string, environ []string, args ...string) *Wardkeeper {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"serve", "--addr", "127.0.0.1:0", "--log-format", "json"}, args...)...)
	cmd.Env = append(os.Environ(), environ...)
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	var log strings.Builder
	for in := bufio.NewReader(stderr); ; {
		line, err := in.ReadString('\n')
		log.WriteString(line)
		require.NoError(t, err, "the server does not start:\n%s", tail(log.String()))
		if found := urlInLog.FindStringSubmatch(line); found != nil {
			go func() { _, _ = io.Copy(io.Discard, in) }() // so that the server can write on
			return &Wardkeeper{found[1], cmd.Process}
		}
	}
}
