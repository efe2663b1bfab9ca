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
// causes.
func (rc *requestContext) readiness() error {
	checks, err := rc.runChecks()
	if err != nil {
		return err
	}
	var missing []string
	for _, check := range checks {
		if check.Err != nil {
			missing = append(missing, publicName(check.Name))
			rc.server.log.LogAttrs(context.Background(), slog.LevelDebug, "not ready", slog.String("check", check.Name), slog.Any("cause", check.Err))
		}
	}
	if len(missing) == 0 {
		rc.out = append(rc.out[:0], `{"ready":true`...)
	} else {
		rc.status = http.StatusServiceUnavailable
		rc.out = appendNotReady(rc.out[:0], missing)
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

// appendNotReady appends an object without the closing brace.
func appendNotReady(out []byte, missing []string) []byte {
	out = authzen.AppendString(append(out, `{"error":`...), "Not ready, missing: "+strings.Join(missing, ", ")+".")
	for i, name := range missing {
		if i == 0 {
			out = append(out, `,"missing":[`...)
		} else {
			out = append(out, ',')
		}
		out = authzen.AppendString(out, name)
	}
	return append(out, ']')
}

// runChecks runs the checks of readiness. They need admission as evaluations do: if there is no capacity for a check,
// there is none for an evaluation either.
func (rc *requestContext) runChecks() ([]Check, error) {
	if err := rc.admit(0); err != nil {
		return []Check{{Name: "capacity", Err: err}}, nil
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

// publicName replaces any name that is not plain, so that readiness never shows addresses or the like.
func publicName(name string) string {
	invalid := func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }
	if name == "" || len(name) > 32 || strings.ContainsFunc(name, invalid) {
		return "other"
	}
	return name
}
