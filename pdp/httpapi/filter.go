package httpapi

import (
	"github.com/wardkeeper/wardkeeper/pdp/httpapi/opawire"
)

// filter responds with a rule as a condition on the rows of a table: POST /v1/compile/{path}.
func (rc *requestContext) filter() error {
	path, err := opawire.ParsePath(rc.r, compilePath)
	if err != nil {
		return err
	}
	query, err := opawire.ParseParameters(rc.r)
	if err != nil {
		return err
	}
	members, err := rc.opaMembers()
	if err != nil {
		return err
	}
	request, err := opawire.ParseFilterRequest(rc.r.Header, members)
	if err != nil {
		return err
	}
	request.Filter.Path = path
	ctx := rc.startWork()
	defer rc.endWork()
	result, err := rc.server.data.Filter(ctx, request.Filter)
	if err = rc.timeoutIfExpired(ctx, err); err != nil {
		return err
	}
	rc.stats.revision = result.Provenance.Revision
	if rc.out, err = request.Append(rc.out[:0], result.Condition); err != nil {
		return err
	}
	rc.w.Header().Set("Content-Type", request.MediaType)
	return rc.formatOPA(query)
}
