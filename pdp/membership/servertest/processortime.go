package servertest

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ProcessorTime returns the processor time that the server has used so far, with all of its processes, also those that have ended.
func (p *Postgres) ProcessorTime() time.Duration {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	parent := p.process.Process.Pid
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", parent, parent))
	if err != nil {
		p.t.Fatal(err)
	}
	used := ProcessorTime(p.t, parent)
	for _, child := range strings.Fields(string(children)) {
		if pid, err := strconv.Atoi(child); err == nil {
			used += ProcessorTime(p.t, pid)
		}
	}
	return used
}

// ProcessorTime returns the processor time that a process has used so far, in user mode and in the kernel, and that of its children
// that have ended. It is 0 if the process has ended meanwhile. It is read from Linux's /proc, which counts hundredths of a second.
func ProcessorTime(t testing.TB, pid int) (used time.Duration) {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:])) // the name of a program may contain anything
	for _, field := range fields[11:15] {                                     // utime, stime, cutime, cstime
		ticks, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		used += time.Duration(ticks) * 10 * time.Millisecond
	}
	return used
}
