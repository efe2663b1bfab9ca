package decisionrecord_test

import (
	"context"
	"testing"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/decisionpart"
	"github.com/wardkeeper/wardkeeper/pdp/decisionrecord"
)

// nowhere drops records.
type nowhere struct{}

func (nowhere) Append(context.Context, decisionpart.Record) error { return nil }

// BenchmarkRecord measures a decision without and with its record, which is dropped.
func BenchmarkRecord(b *testing.B) {
	for name, q := range map[string]string{"allow": edit, "deny": remove} {
		asked := question(b, q)
		for how, recorder := range map[string]pdp.Recorder{"off": nil, "on": decisionrecord.New(decisionrecord.Config{Sink: nowhere{}})} {
			b.Run(name+"/"+how, func(b *testing.B) {
				e := pdp.New(pdp.Config{Policy: builtIn(), Source: fixed{bench(b)}, Recorder: recorder})
				b.ReportAllocs()
				for b.Loop() {
					if _, err := e.Decide(b.Context(), asked); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
