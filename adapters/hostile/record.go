package hostile

import (
	"context"
	"sync"

	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Record has what was judged and what the application got, in order. It is safe for concurrent use.
type Record struct {
	mu     sync.Mutex
	events []event
}

// event is a request that was judged and may pass, or one that the application got.
type event struct {
	judged  string // the meaning of a request that may pass; "" for one that the application got
	subject string // the person of a request that may pass
	got     *Received
}

func (r *Record) add(e event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// take returns the events so far, and clears the record.
func (r *Record) take() []event {
	r.mu.Lock()
	defer r.mu.Unlock()
	events := r.events
	r.events = nil
	return events
}

// meaning returns a text that is the same for all requests that mean the same.
func meaning(evaluation *authzen.Evaluation, method, path string) string {
	if evaluation == nil {
		return method + " " + path + ", which is public"
	}
	question := *evaluation
	question.Context = map[string]any{}
	for name, value := range evaluation.Context {
		if name != "supported_obligations" { // it is not part of the request
			question.Context[name] = value
		}
	}
	text, err := authzen.AppendValue(nil, question)
	if err != nil { // impossible: the question was drawn from a request
		return err.Error()
	}
	return method + " asking " + string(text)
}

type askedKey struct{}

// Decider gives the same answer to every question, and records the questions asked with a context of [Record.Judge].
type Decider struct {
	Answer func() (allow bool, err error)
}

// Decide implements [pep.Decider].
func (d Decider) Decide(ctx context.Context, questions []authzen.Evaluation) ([]authzen.Response, error) {
	allow, err := d.Answer()
	if err != nil {
		return nil, err
	}
	if asked, ok := ctx.Value(askedKey{}).(*[]authzen.Evaluation); ok {
		*asked = append(*asked, questions...)
	}
	responses := make([]authzen.Response, len(questions))
	for i := range responses {
		responses[i].Decision = allow
	}
	return responses, nil
}

var _ pep.Decider = Decider{}

// Judge returns a context for checking one request, and a function to call with the request if it may pass. The method,
// target and host of that request are those that the checker was given.
func (r *Record) Judge(ctx context.Context, table *routes.Table) (asking context.Context, pass func(request routes.Request)) {
	asked := &[]authzen.Evaluation{}
	return context.WithValue(ctx, askedKey{}, asked), func(request routes.Request) {
		if len(*asked) > 0 {
			question := (*asked)[0]
			r.add(event{judged: meaning(&question, request.Method, ""), subject: question.Subject.ID})
			return
		}
		resolution, err := table.Resolve(ctx, request)
		if err == nil && resolution.Outcome == routes.Public {
			r.add(event{judged: meaning(nil, request.Method, resolution.Path)})
		}
	}
}
