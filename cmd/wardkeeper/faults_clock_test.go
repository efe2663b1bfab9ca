package main

import (
	"bytes"
	"debug/elf"
	encoding "encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// setClock sets the wall clock of one process ahead or back, and no other's; its monotonic clock goes on. A process asks for
// the time by a function of the kernel that is mapped into its memory (vDSO). The copy of this process is replaced by one that
// asks the kernel and adds an offset. (A library loaded before libc would do nothing: Go's programs do not use it for the time.)
func setClock(t *testing.T, pid int, ahead time.Duration) {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the code that replaces the clock of a process is for Linux on amd64")
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	require.NoError(t, err)
	var from, to int64
	for line := range strings.Lines(string(maps)) {
		if strings.Contains(line, "[vdso]") {
			_, err := fmt.Sscanf(line, "%x-%x", &from, &to)
			require.NoError(t, err)
		}
	}
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrPermission) {
		t.Skip("nobody may write to the memory of another process here, not even of a child")
	}
	require.NoError(t, err)
	defer func() { require.NoError(t, memory.Close()) }()
	image := make([]byte, to-from)
	_, err = memory.ReadAt(image, from)
	require.NoError(t, err)
	file, err := elf.NewFile(bytes.NewReader(image))
	require.NoError(t, err)
	symbols, err := file.DynamicSymbols()
	require.NoError(t, err)
	var function int64
	for _, s := range symbols {
		if s.Name == "__vdso_clock_gettime" {
			function = int64(s.Value)
		}
	}
	require.NotZero(t, function)

	code := []byte{
		0xb8, 0xe4, 0, 0, 0, // mov eax, 228 (clock_gettime)
		0x0f, 0x05, // syscall
		0x85, 0xff, // test edi, edi (CLOCK_REALTIME is 0)
		0x75, 0x0a, // jnz to ret
		0x48, 0x8b, 0x15, 0x04, 0, 0, 0, // mov rdx, [the offset]
		0x48, 0x01, 0x16, // add [rsi], rdx (seconds)
		0xc3, // ret
	}
	code = encoding.LittleEndian.AppendUint64(code, uint64(ahead/time.Second))
	// The end of the mapping is unused. The function then jumps there; a thread that is in it goes on with the old code.
	place := int64(len(image)-len(code)) &^ 15
	require.Equal(t, make([]byte, len(code)), image[place:place+int64(len(code))], "the end of the vDSO is in use")
	_, err = memory.WriteAt(code, from+place)
	require.NoError(t, err)
	jump := encoding.LittleEndian.AppendUint32([]byte{0xe9}, uint32(place-function-5))
	_, err = memory.WriteAt(append(jump, image[function+5:function+8]...), from+function)
	require.NoError(t, err)
}
