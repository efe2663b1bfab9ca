package membership

import (
	"context"
	"io"
	"testing"

	"github.com/wardkeeper/wardkeeper/pdp"
)

func BenchmarkGenerate(b *testing.B) {
	for name, f := range map[string]Format{"json": JSON, "yaml": YAML} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Generate(b.Context(), io.Discard, GenerateConfig{Users: 200_000, Format: f}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	for name, f := range map[string]Format{"json": JSON, "yaml": YAML} {
		data := generated(200_000, f)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parse(data, f, words(), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkUsers: the first page of a list sorts it, every later one finds its place.
func BenchmarkUsers(b *testing.B) {
	ctx := context.Background()
	data := generated(200_000, JSON)
	q := pdp.UserQuery{Beneath: "region-1-d2", Limit: 100, After: pdp.Cursor{ID: "u7"}}
	d, err := parse(data, JSON, words(), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			fresh := &Directory{users: d.users, locations: d.locations, userAt: d.userAt, locationAt: d.locationAt,
				children: d.children, assigned: d.assigned}
			b.StartTimer()
			if _, err := fresh.Users(ctx, q); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, text := range map[string]string{"later": "", "filtered": "ana garcía"} {
		b.Run(name, func(b *testing.B) {
			q.Text = text
			for b.Loop() {
				if _, err := d.Users(ctx, q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
