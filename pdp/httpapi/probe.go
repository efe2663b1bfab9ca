package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// showMetadata describes the server to its callers (section 9.1): by the configured base URL, never by a request, and only
// what the policy in force lets it serve.
func (x *exchange) showMetadata() (err error) {
	offers := x.s.decider.Offers()
	at := func(path string, served bool) string {
		if !served {
			return ""
		}
		return x.s.base + path
	}
	x.out, err = json.Marshal(struct {
		PDP            string   `json:"policy_decision_point"`
		Evaluation     string   `json:"access_evaluation_endpoint"`
		Evaluations    string   `json:"access_evaluations_endpoint"`
		SearchSubject  string   `json:"search_subject_endpoint,omitempty"`
		SearchResource string   `json:"search_resource_endpoint,omitempty"`
		SearchAction   string   `json:"search_action_endpoint,omitempty"`
		Obligations    []string `json:"supported_obligations,omitempty"`
	}{
		x.s.base, at(evaluationPath, true), at(evaluationsPath, true), at(searchSubjectPath, offers.Subjects),
		at(searchResourcePath, offers.Resources), at(searchActionPath, offers.Actions), offers.Obligations,
	})
	return err
}

// health says that the process answers. Clients of OPA ask more of it.
func (x *exchange) health() error {
	if x.s.data != nil && x.r.URL.RawQuery != "" {
		query, err := x.query()
		if err != nil {
			return err
		}
		if asked(query, "bundles") || asked(query, "bundle") || asked(query, "plugins") {
			return x.policyHealth()
		}
	}
	x.out = append(x.out[:0], `{"alive":true}`...)
	return nil
}

// readiness says whether questions can be decided, and what is missing. It is open, so it tells names and no causes.
func (x *exchange) readiness() error {
	var missing []string
	checks, err := x.checks()
	if err != nil {
		return err
	}
	for _, check := range checks {
		if check.Err != nil {
			missing = append(missing, publicName(check.Name))
			x.s.log.LogAttrs(context.Background(), slog.LevelDebug, "not ready", slog.String("check", check.Name), slog.Any("cause", check.Err))
		}
	}
	var policy PolicyStatus
	if x.s.policy != nil {
		policy = x.s.policy()
	}
	var facts MembershipStatus
	if x.s.facts != nil {
		facts = x.s.facts()
	}
	if len(missing) == 0 {
		x.out = append(appendMembershipNotes(appendPolicyNotes(append(x.out[:0], `{"ready":true`...), policy), facts), '}')
		return nil
	}
	x.status = http.StatusServiceUnavailable
	out := authzen.AppendString(append(x.out[:0], `{"error":`...), "Not ready, for want of: "+strings.Join(missing, ", ")+".")
	for i, name := range missing {
		if i == 0 {
			out = append(out, `,"missing":[`...)
		} else {
			out = append(out, ',')
		}
		out = authzen.AppendString(out, name)
	}
	x.out = append(appendMembershipNotes(appendPolicyNotes(append(out, ']'), policy), facts), '}')
	return nil
}

// checks takes a place, as decisions do: where there is none, there is none for them.
func (x *exchange) checks() ([]Check, error) {
	if err := x.admit(0); err != nil {
		return []Check{{Name: "capacity", Err: err}}, nil
	}
	if x.s.ready == nil {
		return nil, nil
	}
	ctx, cancel := x.deadline()
	defer cancel()
	checks := x.s.ready(ctx)
	if err := x.settle(ctx, nil); errors.Is(err, errOverdue) {
		return nil, err
	}
	return checks, nil
}

// policyHealth says, in OPA's way, whether there is a policy that decides. It is open, so it tells no cause. The code is
// for clients that want one.
func (x *exchange) policyHealth() error {
	ctx, cancel := x.deadline()
	defer cancel()
	err := x.s.data.CheckPolicy(ctx)
	if settled := x.settle(ctx, nil); errors.Is(settled, errOverdue) {
		return settled
	}
	if err != nil {
		x.s.log.LogAttrs(context.Background(), slog.LevelDebug, "not healthy", slog.Any("cause", err))
		x.status = http.StatusInternalServerError
		x.out = append(x.out[:0], `{"code":"internal_error","error":"There is no policy that can decide now."}`...)
		return nil
	}
	x.out = append(x.out[:0], "{}"...)
	return nil
}

// publicName keeps anything but a plain name from being shown to everybody.
func publicName(name string) string {
	odd := func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }
	if name == "" || len(name) > 32 || strings.ContainsFunc(name, odd) {
		return "other"
	}
	return name
}

func (x *exchange) showMetrics() error {
	x.sent = true
	x.s.metrics.show.ServeHTTP(x.w, x.r)
	return nil
}
