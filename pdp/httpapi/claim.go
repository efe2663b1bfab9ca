package httpapi

import (
	"math"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// claimed is the outcome of a claim that succeeded, in metrics.
const claimed = "claimed"

// Why claims fail, in sentences for callers.
var refusedClaims = map[string]string{
	pdp.ClaimExpired: "The guard has expired.",
	pdp.ClaimChanged: "A record that the guard stands on has changed since.",
	pdp.ClaimDenied:  "The change is not allowed any more.",
	pdp.ClaimTaken:   "Another change of the same records has been claimed: try again later.",
}

// claim claims a guard (pdp/authzen/PROTOCOL.md, Guards):
//
//	200 {"claimed": true, "expires", "evaluation"}           the change may be made until then
//	409 {"claimed": false, "code", "error", "evaluation"}    it may not; the question is answered again
//	400, 401, 403, 503 ...                                   it may not
func (rc *requestContext) claim() error {
	rc.stats.evaluation = true
	body, err := rc.jsonBody(authzen.MaxBody)
	if err != nil {
		return err
	}
	token, e, err := authzen.DecodeClaim(body)
	if err != nil {
		return err
	}
	rc.stats.action = rc.server.metrics.action(e.Action.Name)
	ctx := rc.startWork()
	defer rc.endWork()
	c, err := rc.server.claimer.Claim(ctx, e, token)
	if err = rc.timeoutIfExpired(ctx, err); err != nil {
		rc.server.metrics.claims.WithLabelValues(outcomeError).Inc()
		return err
	}
	if rc.out, err = appendClaim(rc.out[:0], &c); err != nil {
		return encodingError(err)
	}
	outcome := claimed
	if c.Refused != "" {
		outcome, rc.status = c.Refused, http.StatusConflict
	}
	if c.Wait > 0 {
		rc.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(c.Wait.Seconds()))))
	}
	rc.server.metrics.claims.WithLabelValues(outcome).Inc()
	rc.stats.revision = c.Decision.Revision
	rc.stats.countDecision(rc.stats.action, &c.Decision)
	return nil
}

func appendClaim(out []byte, c *pdp.Claim) ([]byte, error) {
	if c.Refused == "" {
		out = authzen.AppendString(append(out, `{"claimed":true,"expires":`...), c.Expires.UTC().Format(pdp.GuardTime))
	} else {
		out = authzen.AppendString(append(out, `{"claimed":false,"code":`...), c.Refused)
		out = authzen.AppendString(append(out, `,"error":`...), refusedClaims[c.Refused])
	}
	out, err := appendDecision(append(out, `,"evaluation":`...), &c.Decision)
	return append(out, '}'), err
}

// newClaimCounters returns the counters of claims by outcome. They begin at 0 if guards can be claimed.
func newClaimCounters(offered bool) *prometheus.CounterVec {
	counters := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wardkeeper_guard_claims_total",
		Help: "Claims of guards by outcome: claimed, or refused because the guard was expired, a record changed, the change is denied now, or the records are taken by another claim; or error.",
	}, []string{"outcome"})
	if offered {
		for _, outcome := range []string{claimed, pdp.ClaimExpired, pdp.ClaimChanged, pdp.ClaimDenied, pdp.ClaimTaken, outcomeError} {
			counters.WithLabelValues(outcome)
		}
	}
	return counters
}
