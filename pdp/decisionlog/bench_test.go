package decisionlog

import (
	"context"
	"strings"
	"testing"

	"github.com/wardkeeper/wardkeeper/pdp/decisionpart"
)

// BenchmarkAppend appends records of 600 bytes from 64 callers at a time for each processor.
func BenchmarkAppend(b *testing.B) {
	record := []byte(`{"decision":true,"pad":"` + strings.Repeat("x", 574) + `"}`)
	for name, durability := range map[string]Durability{"sync": Sync, "buffered": Buffered} {
		b.Run(name, func(b *testing.B) {
			l := open(b, Config{Dir: b.TempDir(), Durability: durability})
			b.SetBytes(int64(len(record)))
			b.ReportAllocs()
			b.SetParallelism(64)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := l.Append(context.Background(), decisionpart.Record{JSON: record}); err != nil {
						b.Fatal(err)
					}
				}
			})
			closeLog(b, l)
			b.StopTimer()
		})
	}
}
