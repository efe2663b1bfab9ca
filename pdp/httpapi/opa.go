package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// The paths of OPA's API that decide. Nothing here writes: policy and data come from elsewhere.
const (
	dataPath      = "/v1/data"
	batchDataPath = "/v1/batch/data"
	oldDataPath   = "/v0/data"
	defaultPath   = "/"
)

// Data says what documents of the policy are, for clients of OPA's API. [*pdp.Engine] is one. Safe for concurrent use.
type Data interface {
	// Data answers for each input, all by one policy. It refuses an input that has facts, and never takes an ill-shaped
	// decision for one.
	Data(ctx context.Context, r pdp.DataRequest) (pdp.DataResult, error)
	// Decides says whether a path is that of the decision, for the metrics.
	Decides(path []string) bool
	// CheckPolicy fails where no policy can decide.
	CheckPolicy(ctx context.Context) error
}

func (s *Server) addOPA() {
	for _, suffix := range []string{"", "/*"} {
		s.register(dataPath+suffix, slog.LevelInfo, opaError, guarded((*exchange).document), http.MethodPost, http.MethodGet)
		s.register(batchDataPath+suffix, slog.LevelInfo, opaError, guarded((*exchange).documents), http.MethodPost)
		s.register(oldDataPath+suffix, slog.LevelInfo, opaError, guarded((*exchange).bareDocument), http.MethodPost)
	}
	s.register(defaultPath, slog.LevelInfo, opaError, guarded((*exchange).defaultDecision), http.MethodPost)
}

// foreign says whether a path that nothing is at belongs to OPA's API: whoever asks for it reads OPA's errors.
func (s *Server) foreign(path string) bool {
	return s.data != nil && (strings.HasPrefix(path+"/", "/v1/") || strings.HasPrefix(path+"/", "/v0/"))
}

// asksFor reads the path of a document, behind a prefix, and the parameters. What fails on the way to a decision counts
// as one.
func (x *exchange) asksFor(prefix string, served ...string) (path []string, query url.Values, err error) {
	if path, err = documentPath(x.r, prefix); err != nil {
		return nil, nil, err
	}
	x.tally.asks = x.s.data.Decides(path)
	query, err = x.parameters(served...)
	return path, query, err
}

// document answers with the document at a path.
func (x *exchange) document() error {
	t := begun()
	path, query, err := x.asksFor(dataPath, "provenance", "metrics")
	if err != nil {
		return err
	}
	in, err := x.input(query)
	if err != nil {
		return err
	}
	t.read()
	result, err := x.ask(pdp.DataRequest{Path: path, Inputs: []pdp.DataInput{in}})
	if err != nil {
		return err
	}
	t.evaluated()
	a := &result.Answers[0]
	if a.Err != nil {
		return a.Err
	}
	r := response{answer: a, missingInput: !in.Sent && x.r.Method == http.MethodPost}
	if asked(query, "provenance") {
		r.provenance = &result.Provenance
	}
	if asked(query, "metrics") {
		r.metrics = t.metrics()
	}
	if x.out, err = r.append(x.out[:0]); err != nil {
		return unwritable(err)
	}
	x.count(a)
	return x.dress(query)
}

// defaultDecision answers with the decision, bare.
func (x *exchange) defaultDecision() error {
	x.tally.asks = true
	query, err := x.parameters()
	if err != nil {
		return err
	}
	return x.bare(pdp.DataRequest{Decision: true}, query)
}

// bareDocument answers with the document at a path, bare.
func (x *exchange) bareDocument() error {
	path, query, err := x.asksFor(oldDataPath)
	if err != nil {
		return err
	}
	return x.bare(pdp.DataRequest{Path: path}, query)
}

// bare reads the body as the input, and answers with nothing but the document.
func (x *exchange) bare(r pdp.DataRequest, query url.Values) error {
	in, err := x.bareInput()
	if err != nil {
		return err
	}
	r.Inputs = []pdp.DataInput{in}
	result, err := x.ask(r)
	if err != nil {
		return err
	}
	a := &result.Answers[0]
	switch {
	case a.Err != nil:
		return a.Err
	case !a.Defined:
		return &pdp.Error{Kind: undefined}
	}
	if x.out, err = appendResult(x.out[:0], a); err != nil {
		return unwritable(err)
	}
	x.count(a)
	return x.dress(query)
}

// documents answers with the document at a path for several inputs. Some failures among answers make it a 207, nothing
// but failures a 500.
func (x *exchange) documents() error {
	t := begun()
	path, query, err := x.asksFor(batchDataPath, "provenance", "metrics")
	if err != nil {
		return err
	}
	x.large = true
	inputs, err := x.inputs()
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(inputs))
	r := pdp.DataRequest{Path: path, Inputs: make([]pdp.DataInput, len(names))}
	for i, name := range names {
		r.Inputs[i] = inputOf(inputs[name])
	}
	t.read()
	result, err := x.ask(r)
	if err != nil {
		return err
	}
	t.evaluated()
	x.tally.batch = x.tally.asks
	batch := batchResponse{names: names, answers: result.Answers}
	if asked(query, "provenance") {
		batch.provenance = &result.Provenance
	}
	if asked(query, "metrics") {
		batch.metrics = t.metrics()
	}
	if x.out, err = batch.append(x.out[:0]); err != nil {
		return err
	}
	x.status = batch.status()
	x.logCause(batch.firstFault())
	for i := range result.Answers {
		x.count(&result.Answers[i])
	}
	return x.dress(query)
}

// ask asks for documents. A caller pairs answers with inputs, so they must be as many.
func (x *exchange) ask(r pdp.DataRequest) (pdp.DataResult, error) {
	ctx, cancel := x.deadline()
	defer cancel()
	result, err := x.s.data.Data(ctx, r)
	if err = x.settle(ctx, err); err != nil {
		return pdp.DataResult{}, err
	}
	if len(result.Answers) != len(r.Inputs) {
		return pdp.DataResult{}, &pdp.Error{Kind: pdp.Internal, Err: fmt.Errorf("%d answers for %d inputs", len(result.Answers), len(r.Inputs))}
	}
	x.tally.revision = result.Provenance.Revision
	if x.tally.asks && len(result.Answers) == 1 {
		x.tally.action = x.s.metrics.action(result.Answers[0].Action)
	}
	return result, nil
}

// count counts an answer, if it is a decision or should have been.
func (x *exchange) count(a *pdp.DataAnswer) {
	switch {
	case !x.tally.asks:
	case a.Decision == nil: // a failure of a batch
		x.tally.undecided(x.s.metrics.action(a.Action))
	default:
		x.tally.answered(x.s.metrics.action(a.Action), a.Decision)
	}
}
