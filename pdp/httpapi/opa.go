package httpapi

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi/opawire"
)

// Data evaluates documents of the policy for clients of OPA's API. [*pdp.Engine] implements it. Implementations must be
// safe for concurrent use.
type Data interface {
	// Data evaluates a document for each input, all under one policy. It must reject inputs that contain facts, and must
	// report a malformed decision as an error.
	Data(ctx context.Context, r pdp.DataRequest) (pdp.DataResult, error)
	// Filter returns a rule as a condition on the rows of a table. It must reject inputs that contain facts.
	Filter(ctx context.Context, r pdp.FilterRequest) (pdp.FilterResult, error)
	// Decides reports whether path is that of the decision, for the metrics.
	Decides(path []string) bool
	// CheckPolicy returns an error if no policy is ready to decide.
	CheckPolicy(ctx context.Context) error
}

// document responds with the document at a path: POST or GET /v1/data/{path}.
func (rc *requestContext) document() error {
	timer := opawire.NewTimer()
	path, query, err := rc.parseDocumentURL(dataPath, "provenance", "metrics")
	if err != nil {
		return err
	}
	input, err := rc.documentInput(query)
	if err != nil {
		return err
	}
	timer.Parsed()
	result, err := rc.evaluateDocuments(pdp.DataRequest{Path: path, Inputs: []pdp.DataInput{input}})
	if err != nil {
		return err
	}
	timer.Evaluated()
	answer := &result.Answers[0]
	if answer.Err != nil {
		return answer.Err
	}
	response := opawire.Response{Answer: answer, MissingInput: !input.Sent && rc.r.Method == http.MethodPost}
	if opawire.Flag(query, "provenance") {
		response.Provenance = &result.Provenance
	}
	if opawire.Flag(query, "metrics") {
		response.Metrics = timer.Metrics()
	}
	if rc.out, err = response.Append(rc.out[:0]); err != nil {
		return encodingError(err)
	}
	rc.countAnswer(answer)
	return rc.formatOPA(query)
}

// documentInput reads the input: a member of the body of a POST, or a parameter of a GET.
func (rc *requestContext) documentInput(query url.Values) (pdp.DataInput, error) {
	if rc.r.Method != http.MethodPost {
		if err := rc.admit(len(rc.r.URL.RawQuery)); err != nil {
			return pdp.DataInput{}, err
		}
		return opawire.InputParameter(query)
	}
	members, err := rc.opaMembers()
	if err != nil {
		return pdp.DataInput{}, err
	}
	return opawire.InputMember(members["input"]), nil
}

// defaultDecision responds with the decision alone: POST /.
func (rc *requestContext) defaultDecision() error {
	rc.stats.evaluation = true
	query, err := opawire.ParseParameters(rc.r)
	if err != nil {
		return err
	}
	return rc.bareDocument(pdp.DataRequest{Decision: true}, query)
}

// v0Document responds with the document at a path alone: POST /v0/data/{path}.
func (rc *requestContext) v0Document() error {
	path, query, err := rc.parseDocumentURL(v0DataPath)
	if err != nil {
		return err
	}
	return rc.bareDocument(pdp.DataRequest{Path: path}, query)
}

// bareDocument takes the whole body as the input, and responds with the document without a surrounding object.
func (rc *requestContext) bareDocument(r pdp.DataRequest, query url.Values) error {
	body, err := rc.opaBody()
	if err != nil {
		return err
	}
	input, err := opawire.InputBody(body)
	if err != nil {
		return err
	}
	r.Inputs = []pdp.DataInput{input}
	result, err := rc.evaluateDocuments(r)
	if err != nil {
		return err
	}
	answer := &result.Answers[0]
	switch {
	case answer.Err != nil:
		return answer.Err
	case !answer.Defined:
		return &pdp.Error{Kind: undefined}
	}
	if rc.out, err = authzen.AppendValue(rc.out[:0], answer.Value); err != nil {
		return encodingError(err)
	}
	rc.countAnswer(answer)
	return rc.formatOPA(query)
}

// batchDocuments responds with the document at a path for several inputs: POST /v1/batch/data/{path}.
func (rc *requestContext) batchDocuments() error {
	timer := opawire.NewTimer()
	path, query, err := rc.parseDocumentURL(batchDataPath, "provenance", "metrics")
	if err != nil {
		return err
	}
	rc.batchWork = true
	members, err := rc.opaMembers()
	if err != nil {
		return err
	}
	inputs, err := opawire.BatchInputs(members)
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(inputs))
	r := pdp.DataRequest{Path: path, Inputs: make([]pdp.DataInput, len(names))}
	for i, name := range names {
		r.Inputs[i] = opawire.InputMember(inputs[name])
	}
	timer.Parsed()
	result, err := rc.evaluateDocuments(r)
	if err != nil {
		return err
	}
	timer.Evaluated()
	rc.stats.batch = rc.stats.evaluation
	response, firstError := batchResponse(names, result.Answers)
	if opawire.Flag(query, "provenance") {
		response.Provenance = &result.Provenance
	}
	if opawire.Flag(query, "metrics") {
		response.Metrics = timer.Metrics()
	}
	if rc.out, err = response.Append(rc.out[:0]); err != nil {
		return encodingError(err)
	}
	rc.status = response.Status()
	rc.noteFailure(firstError)
	for i := range result.Answers {
		rc.countAnswer(&result.Answers[i])
	}
	return rc.formatOPA(query)
}

// batchResponse pairs names with answers. It also returns the first error that is not the client's, which is logged for
// the batch.
func batchResponse(names []string, answers []pdp.DataAnswer) (response opawire.BatchResponse, firstError httpError) {
	response.Items = make([]opawire.BatchItem, len(names))
	for i, name := range names {
		response.Items[i] = opawire.BatchItem{Name: name, Answer: &answers[i]}
		if answers[i].Err == nil {
			continue
		}
		e := httpErrorOf(answers[i].Err)
		response.Items[i].Err = e.opa()
		if e.status >= http.StatusInternalServerError && firstError.status == 0 {
			firstError = e
		}
	}
	return response, firstError
}

// parseDocumentURL parses the parameters and the path of a document after prefix. Errors from here on count as failed
// evaluations if the path is that of the decision.
func (rc *requestContext) parseDocumentURL(prefix string, supported ...string) (path []string, query url.Values, err error) {
	if path, err = opawire.ParsePath(rc.r, prefix); err != nil {
		return nil, nil, err
	}
	rc.stats.evaluation = rc.server.data.Decides(path)
	query, err = opawire.ParseParameters(rc.r, supported...)
	return path, query, err
}

// opaBody reads a body of any Content-Type and returns it as JSON.
func (rc *requestContext) opaBody() ([]byte, error) {
	body, err := rc.decodedBody(authzen.MaxBody)
	if err != nil {
		return nil, err
	}
	return opawire.BodyAsJSON(rc.r.Header["Content-Type"], body)
}

// opaMembers reads a body that is an object.
func (rc *requestContext) opaMembers() (map[string]any, error) {
	body, err := rc.opaBody()
	if err != nil {
		return nil, err
	}
	return opawire.ParseMembers(body)
}

// evaluateDocuments evaluates documents. There must be as many answers as inputs, because clients match them by
// position.
func (rc *requestContext) evaluateDocuments(r pdp.DataRequest) (pdp.DataResult, error) {
	ctx := rc.startWork()
	defer rc.endWork()
	result, err := rc.server.data.Data(ctx, r)
	if err = rc.timeoutIfExpired(ctx, err); err != nil {
		return pdp.DataResult{}, err
	}
	if len(result.Answers) != len(r.Inputs) {
		return pdp.DataResult{}, &pdp.Error{Kind: pdp.Internal, Err: fmt.Errorf("%d answers for %d inputs", len(result.Answers), len(r.Inputs))}
	}
	rc.stats.revision = result.Provenance.Revision
	if rc.stats.evaluation && len(result.Answers) == 1 {
		rc.stats.action = rc.server.metrics.action(result.Answers[0].Action)
	}
	return result, nil
}

// countAnswer counts an answer if the document is the decision.
func (rc *requestContext) countAnswer(a *pdp.DataAnswer) {
	switch {
	case !rc.stats.evaluation:
	case a.Decision == nil: // an input of a batch failed
		rc.stats.countError(rc.server.metrics.action(a.Action))
	default:
		rc.stats.countDecision(rc.server.metrics.action(a.Action), a.Decision)
	}
}

// formatOPA indents and compresses the response as the client requested.
func (rc *requestContext) formatOPA(query url.Values) error {
	out, err := opawire.Indent(rc.out, query)
	if err != nil {
		return encodingError(err)
	}
	rc.out = opawire.Compress(out, rc.w.Header(), rc.r.Header["Accept-Encoding"])
	return nil
}
