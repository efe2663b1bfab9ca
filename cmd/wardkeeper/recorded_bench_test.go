package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// BenchmarkServeRecorded measures what records of decisions cost, in servers of their own that take turns: without a log, with a
// buffered one, with one that is synced before each answer, and with a sink besides. For each it prints the throughput and the
// server's processor time of a question, and how both compare to those without a log in the same turn; a second server without a
// log shows how far servers that are the same differ. An iteration is a turn of all, each time in another order; the figures are
// the medians of at least eleven (-benchtime 11x).
func BenchmarkServeRecorded(b *testing.B) {
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer collector.Close()
	service := func(format string) string {
		return fmt.Sprintf("sinks: [{name: x, format: %s, to: %s}]", format, collector.URL)
	}
	var servers []*recordedServer
	for _, c := range [][2]string{
		{"off", "durability: off"}, {"off again", "durability: off"}, {"buffered", "durability: buffered"}, {"sync", "durability: sync"},
		{"stdout", "sinks: [{name: x, to: stdout}]"}, {"opa", service("opa")}, {"otlp", service("otlp")}, {"fhir", service("fhir")},
	} {
		settings := filepath.Join(b.TempDir(), "c.yaml")
		text := fmt.Sprintf("decision_log: {dir: %s, %s}\n", filepath.Join(b.TempDir(), "log"), c[1])
		require.NoError(b, os.WriteFile(settings, []byte(text), 0o600))
		discard := func(cmd *exec.Cmd) *exec.Cmd {
			cmd.Stdout = io.Discard
			return cmd
		}
		servers = append(servers, &recordedServer{name: c[0], daemon: startServerBy(b, discard, "127.0.0.1:0",
			"--directory", filepath.Join("..", "..", "testdata", "directories", "bench.yaml"), "--config", settings,
			"--evaluation-timeout", "1m", "--request-timeout", "1m")}) // the machine may be busy
	}
	for _, s := range servers { // warm up
		s.ask(b)
	}
	for b.Loop() {
		for _, i := range rand.Perm(len(servers)) {
			s := servers[i]
			rate, cpu := s.ask(b)
			s.rate, s.cpu = append(s.rate, rate), append(s.cpu, cpu)
		}
	}
	off := servers[0]
	for _, s := range servers {
		b.Logf("%-9s  %5.0f questions/s  %+6.1f %%   %5.1f µs of processor time  %+6.1f %%", s.name,
			median(s.rate), more(s.rate, off.rate), median(s.cpu), more(s.cpu, off.cpu))
		b.ReportMetric(median(s.cpu), strings.ReplaceAll(s.name, " ", "-")+"-cpu-µs")
	}
}

// more returns by how many percent the figures are higher than those of the same turns: the median of the turns.
func more(figures, than []float64) float64 {
	ratios := make([]float64, len(figures))
	for i := range figures {
		ratios[i] = 100 * (figures[i]/than[i] - 1)
	}
	return median(ratios)
}

// recordedServer is a server, and its figures of each turn: questions per second, and its processor time of one in microseconds.
type recordedServer struct {
	*daemon
	name      string
	rate, cpu []float64
}

const (
	recordedConnections = 256 // so that a sync is shared while others wait for a processor
	recordedQuestions   = 100 // over each connection in a turn
)

// ask asks from many connections at a time, and returns the rate and the server's processor time of a question.
func (s *recordedServer) ask(b *testing.B) (rate, cpu float64) {
	b.Helper()
	before, began := s.processorTime(b), time.Now()
	var all sync.WaitGroup
	for range recordedConnections {
		all.Go(func() {
			conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
			if err != nil {
				b.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			in := bufio.NewReader(conn)
			for i := range recordedQuestions {
				if err := askServed(conn, in, i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	time.Sleep(1200 * time.Millisecond) // what is buffered and sent belongs to it
	const questions = recordedConnections * recordedQuestions
	return questions / took.Seconds(), float64((s.processorTime(b) - before).Microseconds()) / questions
}

// processorTime returns what the process has used so far, by its clock (clock_getcpuclockid(3)).
func (s *recordedServer) processorTime(b *testing.B) time.Duration {
	b.Helper()
	const scheduled = 2
	var used unix.Timespec
	require.NoError(b, unix.ClockGettime(int32(^s.cmd.Process.Pid<<3|scheduled), &used))
	return time.Duration(used.Nano())
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}
