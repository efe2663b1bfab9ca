package limits

import (
	"log/slog"
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestContainerMemory(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for name, c := range map[string]struct {
		root fstest.MapFS
		want int64
	}{
		"no groups":        {fstest.MapFS{}, 0},
		"version 2":        {fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("268435456\n")}, 256 << 20},
		"unlimited":        {fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("max\n")}, 0},
		"the least of all": {fstest.MapFS{"proc/self/cgroup": file("0::/a/b\n"), "sys/fs/cgroup/a/memory.max": file("100\n"), "sys/fs/cgroup/a/b/memory.max": file("200\n")}, 100},
		"the host's path":  {fstest.MapFS{"proc/self/cgroup": file("0::/../other\n"), "sys/fs/cgroup/memory.max": file("300\n")}, 300},
		"version 1": {fstest.MapFS{"proc/self/cgroup": file("7:cpu,cpuacct:/x\n6:memory:/docker/1\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes": file("134217728\n")}, 128 << 20},
		"version 1, unlimited": {fstest.MapFS{"proc/self/cgroup": file("6:memory:/\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes": file("9223372036854771712\n")}, 0},
		"garbage": {fstest.MapFS{"proc/self/cgroup": file("x\n0::/\n"), "sys/fs/cgroup/memory.max": file("many\n")}, 0},
	} {
		got, ok := containerMemory(c.root)
		require.Equal(t, c.want > 0, ok, name)
		if ok {
			require.Equal(t, c.want, got, name)
		}
	}
}

func TestMemoryLimitFollowsTheFacts(t *testing.T) {
	limit := int64(0)
	set := func(l int64) { limit = l }
	(&Memory{container: unlimited, adjust: true, set: set}).ReserveCache(100 << 20)
	require.EqualValues(t, 214<<20, limit)
	(&Memory{container: 200 << 20, adjust: true, set: set}).ReserveCache(100 << 20)
	require.EqualValues(t, 200<<20, limit, "the container's limit is lower")
	(&Memory{container: unlimited, adjust: true, set: set}).Loaded()
	require.Greater(t, limit, int64(256<<20))
	require.Less(t, limit, int64(unlimited))
	limit = 0
	(&Memory{container: unlimited, set: set}).Loaded()
	require.Zero(t, limit, "GOGC is set by the user")
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	b := TuneGC(func(name string) string { return map[string]string{"GOMEMLIMIT": "1GiB"}[name] })
	b.Loaded() // the user's setting remains
	require.False(t, b.adjust)
}

func TestBallastRaisesTheHeapGoal(t *testing.T) {
	percent, limit := debug.SetGCPercent(-1), debug.SetMemoryLimit(math.MaxInt64)
	defer func() {
		ballast.Store(nil)
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}()
	goal := func(gogc string) uint64 {
		TuneGC(func(name string) string { return map[string]string{"GOGC": gogc, "GOMEMLIMIT": "off"}[name] })
		runtime.GC()
		sample := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	tuned := goal("")
	require.Len(t, *ballast.Load(), maxBallast)
	require.Greater(t, tuned, uint64(5*maxBallast))
	debug.SetGCPercent(GCPercent)
	require.Less(t, goal("400"), tuned-4*maxBallast, "GOGC is set by the user")
	require.EqualValues(t, 4<<20, ballastFor(64<<20), "a small container")
	require.EqualValues(t, maxBallast, ballastFor(math.MaxInt64))
}

func TestContainerLimitIsLogged(t *testing.T) {
	for container, want := range map[int64]string{900: "memory_limit=900", math.MaxInt64: "", 0: ""} {
		var log strings.Builder
		(&Memory{container: container}).Log(slog.New(slog.NewTextHandler(&log, nil)))
		require.Contains(t, log.String(), want)
		require.Equal(t, want == "", log.String() == "")
	}
}
