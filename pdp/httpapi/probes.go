package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi/opawire"
)

// health reports that the process is alive or, with the parameters of OPA's API, whether there is a policy.
func (rc *requestContext) health() error {
	if rc.server.data != nil && rc.r.URL.RawQuery != "" {
		query, err := opawire.ParseQuery(rc.r)
		if err != nil {
			return err
		}
		if opawire.Flag(query, "bundles") || opawire.Flag(query, "bundle") || opawire.Flag(query, "plugins") {
			return rc.policyHealth()
		}
	}
	rc.out = append(rc.out[:0], `{"alive":true}`...)
	return nil
}

// policyHealth reports whether a policy is ready to decide, in the format of OPA's API. It needs no token, so it reveals
// no causes.
func (rc *requestContext) policyHealth() error {
	ctx := rc.startWork()
	defer rc.endWork()
	err := rc.server.data.CheckPolicy(ctx)
	if expired := rc.timeoutIfExpired(ctx, nil); errors.Is(expired, errAlreadyAnswered) {
		return expired
	}
	if err != nil {
		rc.server.log.LogAttrs(context.Background(), slog.LevelDebug, "not healthy", slog.Any("cause", err))
		rc.status = http.StatusInternalServerError
		rc.out = append(rc.out[:0], `{"code":"internal_error","error":"There is no policy that can decide now."}`...)
		return nil
	}
	rc.out = append(rc.out[:0], "{}"...)
	return nil
}

// readiness reports whether questions can be decided and which checks failed. It needs no token, so it reveals no
// causes. As long as some questions can be decided, the status is 200: a load balancer that takes away every sidecar
// would keep from working those who can be answered too.
func (rc *requestContext) readiness() error {
	if rc.server.stopping.Load() {
		rc.status = http.StatusServiceUnavailable
		rc.out = append(rc.out[:0], `{"error":"Not ready, stopping.","stopping":true}`...)
		return nil
	}
	checks, err := rc.runChecks()
	if err != nil {
		return err
	}
	state, missing := assess(checks)
	rc.server.readiness.record(state, missing, checks, rc.server.log)
	switch state {
	case stateReady:
		rc.out = append(rc.out[:0], `{"ready":true`...)
	case stateDegraded:
		rc.out = appendMissing(append(rc.out[:0], `{"ready":true,"degraded":true`...), missing)
	default:
		rc.status = http.StatusServiceUnavailable
		rc.out = authzen.AppendString(append(rc.out[:0], `{"error":`...), "Not ready, missing: "+strings.Join(missing, ", ")+".")
		rc.out = appendMissing(rc.out, missing)
	}
	if rc.server.policy != nil {
		rc.out = appendPolicyProblems(rc.out, rc.server.policy())
	}
	if rc.server.membership != nil {
		rc.out = appendMembershipProblems(rc.out, rc.server.membership())
	}
	rc.out = append(rc.out, '}')
	return nil
}

// appendMissing appends the member that names the checks that failed, of which there is at least one.
func appendMissing(out []byte, missing []string) []byte {
	separator := `,"missing":[`
	for _, name := range missing {
		out = authzen.AppendString(append(out, separator...), name)
		separator = ","
	}
	return append(out, ']')
}

// capacityCheck is the name of the check whether there is capacity for questions.
const capacityCheck = "capacity"

var errNoCapacity = errors.New("too much work is in progress")

// runChecks runs the checks of readiness. They need admission as evaluations do: if there is no capacity for a check,
// there is none for an evaluation either.
func (rc *requestContext) runChecks() ([]Check, error) {
	if err := rc.admit(0); err != nil {
		return []Check{{Name: capacityCheck, Err: err}}, nil
	}
	if rc.server.ready == nil {
		return nil, nil
	}
	ctx := rc.startWork()
	defer rc.endWork()
	checks := rc.server.ready(ctx)
	if err := rc.timeoutIfExpired(ctx, nil); errors.Is(err, errAlreadyAnswered) {
		return nil, err
	}
	return checks, nil
}
