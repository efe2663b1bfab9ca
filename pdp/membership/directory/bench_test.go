package directory

import (
	"context"
	"io"
	"testing"

	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
	"github.com/wardkeeper/wardkeeper/pdp/membership/sampledata"
)

func BenchmarkGenerate(b *testing.B) {
	for name, f := range map[string]record.Format{"json": record.JSON, "yaml": record.YAML} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := sampledata.Write(b.Context(), io.Discard, sampledata.Config{Users: 200_000, Format: f}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	for name, f := range map[string]record.Format{"json": record.JSON, "yaml": record.YAML} {
		data := fixture.GenerateDocument(200_000, f)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseDocument(data, f, fixture.Vocabulary(), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkUsers measures the first page of a list, for which the list is sorted, and later pages.
func BenchmarkUsers(b *testing.B) {
	ctx := context.Background()
	data := fixture.GenerateDocument(200_000, record.JSON)
	q := facts.UserQuery{Beneath: "region-1-d2", Limit: 100, After: facts.Cursor{ID: "u7"}}
	d, err := ParseDocument(data, record.JSON, fixture.Vocabulary(), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			fresh := &Directory{Forest: d.Forest, users: d.users, userAt: d.userAt, assigned: d.assigned}
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
