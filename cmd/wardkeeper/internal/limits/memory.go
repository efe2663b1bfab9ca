package limits

import (
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
)

// GCPercent lets the heap grow to five times its live part between collections. A decision allocates little that is not
// garbage, so this is the cheapest way to make each decision a third faster. It costs some ten megabytes.
const GCPercent = 400

// maxBallast is the size of the ballast at most. A collection keeps all processors busy for some milliseconds, so requests that
// come meanwhile are late. With six megabytes in use, GCPercent alone begins a collection every 30 MB, and one request in thirty is
// late; with the ballast it is every 90 MB, and about one in a hundred.
const maxBallast = 16 << 20

// ballast counts as heap in use, so that a small heap grows further between collections. It is never touched: the system gives it
// no memory.
var ballast atomic.Pointer[[]byte]

// headroom is the memory, on top of the facts of a file, with which the collector runs no more often than by default.
const headroom = 256 << 20

// cacheHeadroom is the memory on top of a cache and half of it. With the default cache the process stays within 200 MB, of which
// the program itself is 50. The collector then runs more often than GCPercent says.
const cacheHeadroom = 64 << 20

// Memory adjusts the soft memory limit of the collector to the size of the facts. GOGC and GOMEMLIMIT take precedence.
type Memory struct {
	container int64 // the collector's share of the container's limit; MaxInt64 if there is no limit, 0 if GOMEMLIMIT is set
	adjust    bool  // neither GOGC nor GOMEMLIMIT is set
	set       func(limit int64)
}

// TuneGC sets the collector's percentage, the ballast, and the limit that follows from the container's memory, unless the
// environment sets GOGC or GOMEMLIMIT.
func TuneGC(getenv func(string) string) *Memory {
	tune := getenv("GOGC") == ""
	if tune {
		debug.SetGCPercent(GCPercent)
	}
	m := &Memory{set: func(int64) {}}
	if getenv("GOMEMLIMIT") == "" {
		m = &Memory{container: math.MaxInt64, adjust: tune, set: func(limit int64) { debug.SetMemoryLimit(limit) }}
		if limit, ok := containerMemory(os.DirFS("/")); ok {
			m.container = limit / 10 * 9 // the rest is for memory that the collector does not manage
		}
		m.set(m.container)
	}
	ballast.Store(nil)
	if tune {
		made := make([]byte, ballastFor(debug.SetMemoryLimit(-1)))
		ballast.Store(&made)
	}
	return m
}

// ballastFor returns the size of the ballast under a memory limit, of which it counts as a part.
func ballastFor(limit int64) int64 { return min(maxBallast, limit/16) }

// Log logs the limit that follows from the container's memory, if there is one.
func (m *Memory) Log(logger *slog.Logger) {
	if m.container != 0 && m.container != math.MaxInt64 {
		logger.Info("the garbage collector keeps within nine tenths of the container's memory", "memory_limit", m.container)
	}
}

// ReserveCache adjusts the limit to an in-process cache of this many bytes, which GCPercent alone would let grow to five times
// as much.
func (m *Memory) ReserveCache(bytes int) { m.setLimit(int64(bytes) + int64(bytes)/2 + cacheHeadroom) }

// Loaded adjusts the limit to a directory file that has just been loaded. It returns the memory that loading took to the
// system: that of the document and the previous directory.
func (m *Memory) Loaded() {
	debug.FreeOSMemory()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	m.setLimit(2*int64(stats.HeapAlloc) + headroom)
}

func (m *Memory) setLimit(limit int64) {
	if m.adjust {
		m.set(min(m.container, limit))
	}
}

// unlimited is more memory than any machine has. Version 1 of cgroups reports a larger number if there is no limit.
const unlimited = 1 << 60

// containerMemory returns the lowest memory limit of the control groups of the process, version 1 or 2.
func containerMemory(root fs.FS) (int64, bool) {
	lowest := int64(unlimited)
	read := func(file string) {
		data, err := fs.ReadFile(root, file)
		if err != nil {
			return
		}
		if limit, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64); err == nil && limit > 0 {
			lowest = min(lowest, limit)
		}
	}
	groups, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		mount, file := "sys/fs/cgroup", "memory.max"
		if parts[1] != "" { // version 1
			mount, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
			if !strings.Contains(","+parts[1]+",", ",memory,") {
				continue
			}
		}
		// In a container the path may be the host's; the container's own group is then mounted at the root.
		for group := path.Clean("/" + parts[2]); ; group = path.Dir(group) {
			read(path.Join(mount, group, file))
			if group == "/" {
				break
			}
		}
	}
	return lowest, lowest < unlimited
}
