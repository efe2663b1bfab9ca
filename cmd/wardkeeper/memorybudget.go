package main

import (
	"io/fs"
	"math"
	"os"
	"path"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
)

// memoryBudget bounds what the collector lets the process grow to. What the environment says (GOGC, GOMEMLIMIT) goes first.
type memoryBudget struct {
	container int64 // what the container may have, as far as the collector may use it; MaxInt64 where it has no limit
	own       bool  // neither GOGC nor GOMEMLIMIT is set
	set       func(limit int64)
}

func newMemoryBudget(variable func(string) string) *memoryBudget {
	b := &memoryBudget{container: math.MaxInt64, own: config.Variable("GOGC") == "", set: func(limit int64) { debug.SetMemoryLimit(limit) }}
	if config.Variable("GOMEMLIMIT") != "" {
		return &memoryBudget{set: func(int64) {}}
	}
	if limit, ok := containerMemory(os.DirFS("/")); ok {
		b.container = limit / 10 * 9 // the rest is for what the collector does not see
	}
	b.set(b.container)
	return b
}

// cache makes the collector diligent where an in-process cache would grow to five times its size: five times a large cache
// would be more than anybody reckons with. What is left above the cache is enough for it to be no busier than by default.
func (b *memoryBudget) cache(bytes config.ByteSize) { b.hold(int64(bytes)) }

// loaded does so for a directory file that has been read, and gives back what reading took: the document, its records one by
// one, and the directory before.
func (b *memoryBudget) loaded() {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.hold(int64(m.HeapAlloc))
}

func (b *memoryBudget) hold(live int64) {
	if b.own {
		b.set(min(b.container, 2*live+256<<20))
	}
}

// noLimit is more than any machine has: cgroups of version 1 write a number of this size where there is no limit.
const noLimit = 1 << 60

// containerMemory finds the least limit of the control groups that the process is in, version 1 or 2.
func containerMemory(root fs.FS) (int64, bool) {
	least := int64(noLimit)
	look := func(file string) {
		data, err := fs.ReadFile(root, file)
		if err != nil {
			return
		}
		if limit, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64); err == nil && limit > 0 {
			least = min(least, limit)
		}
	}
	groups, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		at, file := "sys/fs/cgroup", "memory.max"
		if parts[1] != "" { // version 1
			at, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
			if !strings.Contains(","+parts[1]+",", ",memory,") {
				continue
			}
		}
		// In a container the path may be the host's: what is mounted is then its own group.
		for group := path.Clean("/" + parts[2]); ; group = path.Dir(group) {
			look(path.Join(at, group, file))
			if group == "/" {
				break
			}
		}
	}
	return least, least < noLimit
}
