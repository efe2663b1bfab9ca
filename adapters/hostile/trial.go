package hostile

import (
	"context"
	"errors"
	"net"

	"github.com/wardkeeper/wardkeeper/adapters/routes"
)

// Trial is a judge and an application. The caller puts a proxy between them.
type Trial struct {
	Judge   *Judge
	Backend *Backend
	Site    Site
	record  *Record
}

// NewTrial returns a trial for a route file. The judge does not listen yet; see [Judge.Serve].
func NewTrial(table *routes.Table, site Site) (*Trial, error) {
	record := &Record{}
	judge, err := NewJudge(table, record)
	if err != nil {
		return nil, err
	}
	backend, err := NewBackend(record)
	if err != nil {
		return nil, err
	}
	return &Trial{Judge: judge, Backend: backend, Site: site, record: record}, nil
}

// Close stops the judge and the backend.
func (t *Trial) Close() error {
	t.Judge.Close()
	return t.Backend.Close()
}

// Outcome is the result of a trial.
type Outcome struct {
	Answers    []Answer
	Violations []Violation
	Asked      int64 // how often the proxy asked
	Strays     int64 // how often it asked other endpoints than forward auth
	Arrived    int   // how many requests the application got
}

// Refused counts the cases whose first answer is 4xx or 5xx, or that have none.
func (o Outcome) Refused() int {
	refused := 0
	for _, a := range o.Answers {
		if a.Status >= 400 || a.Status == 0 {
			refused++
		}
	}
	return refused
}

// Run sends the cases while the judge is in the given mode. named means that the application reads the person from
// X-Wardkeeper-Subject.
func (t *Trial) Run(ctx context.Context, dial func(ctx context.Context) (net.Conn, error), cases []Case, mode Mode, named bool) (Outcome, error) {
	t.record.take()
	t.Judge.SetMode(mode)
	asked, strays := t.Judge.asked.Load(), t.Judge.strays.Load()
	o := Outcome{Answers: Run(ctx, dial, cases)}
	events := t.record.take()
	o.Violations = law(ctx, t.Judge.table, events, cases, named)
	o.Asked, o.Strays = t.Judge.asked.Load()-asked, t.Judge.strays.Load()-strays
	for _, e := range events {
		if e.got != nil {
			o.Arrived++
		}
	}
	var failed error
	for _, a := range o.Answers {
		failed = errors.Join(failed, a.Err)
	}
	return o, failed
}
