package httpapi

import (
	"encoding/json"
	"time"
)

// PolicyStatus describes the policy in force and the last attempt to replace it.
type PolicyStatus struct {
	ID         string    `json:"revision,omitempty"` // "" if there is no policy yet
	Label      string    `json:"label,omitempty"`    // the author's name for the revision
	Sequence   int64     `json:"sequence,omitempty"`
	Source     string    `json:"source,omitempty"`
	Entrypoint string    `json:"entrypoint,omitempty"`
	Evaluator  string    `json:"evaluator,omitempty"` // "compiled" or "interpreted"
	Because    string    `json:"because,omitempty"`   // why it is interpreted, although it should be compiled
	Verified   bool      `json:"verified"`            // whether its signature was verified
	SignedBy   string    `json:"signed_by,omitempty"` // the id of the key
	Activated  time.Time `json:"activated_at,omitzero"`
	Confirmed  time.Time `json:"confirmed_at,omitzero"` // when the source last offered this revision
	FromDisk   bool      `json:"from_disk,omitempty"`   // the source has not confirmed the revision since the process started
	Stale      bool      `json:"stale,omitempty"`       // unconfirmed for so long that it must not be used
	// Attempt is the last attempt to get another policy; nil if there was none.
	Attempt *PolicyAttempt `json:"last_attempt,omitempty"`
	// Refused says why the newest bundle of the source is not in force. It is kept while the source is unreachable. It is
	// nil if the newest bundle is in force or unknown.
	Refused *PolicyAttempt `json:"refused,omitempty"`
}

// Revision is what GET /v1/revision answers to operators.
type Revision struct {
	PolicyStatus
	// Causes say why checks of readiness fail now, by their names in /ready, which reveals no causes.
	Causes map[string]string `json:"causes,omitempty"`
}

// PolicyAttempt is one attempt to get a policy from its source. Message may be shown only to clients with the token.
type PolicyAttempt struct {
	At      time.Time `json:"at"`
	Outcome string    `json:"outcome"`
	Reason  string    `json:"reason,omitempty"`
	Message string    `json:"message,omitempty"`
}

// public returns the part of a failed attempt that may be shown without a token; nil if the attempt did not fail.
func (a *PolicyAttempt) public() *PolicyAttempt {
	if a == nil || a.Reason == "" {
		return nil
	}
	return &PolicyAttempt{At: a.At, Outcome: a.Outcome, Reason: a.Reason}
}

// revision describes the policy in force, and why something is missing: GET /v1/revision.
func (rc *requestContext) revision() (err error) {
	answer := Revision{Causes: rc.server.readiness.lastCauses()}
	if rc.server.policy != nil {
		answer.PolicyStatus = rc.server.policy()
	}
	rc.out, err = json.Marshal(answer)
	return err
}

// appendPolicyProblems appends a member about problems with the policy, without causes. It appends nothing if there are
// none.
func appendPolicyProblems(out []byte, s PolicyStatus) []byte {
	var problems struct {
		Revision string         `json:"revision,omitempty"`
		FromDisk bool           `json:"from_disk,omitempty"`
		Stale    bool           `json:"stale,omitempty"`
		Attempt  *PolicyAttempt `json:"last_attempt,omitempty"`
		Refused  *PolicyAttempt `json:"refused,omitempty"`
		Note     string         `json:"note,omitempty"`
	}
	problems.Attempt, problems.Refused = s.Attempt.public(), s.Refused.public()
	if problems.Attempt == nil && problems.Refused == nil && !s.FromDisk && !s.Stale {
		return out
	}
	problems.Revision, problems.FromDisk, problems.Stale = s.ID, s.FromDisk, s.Stale
	if problems.Refused != nil && s.ID != "" && !s.Stale {
		problems.Note = "The policy of the source is refused. The one before it stays in force."
	}
	data, err := json.Marshal(problems)
	if err != nil {
		return out // cannot happen: strings and times only
	}
	return append(append(out, `,"policy":`...), data...)
}

// MembershipStatus describes problems with the membership facts. All of it is public.
type MembershipStatus struct {
	// Quarantined is the number of records that violate policies/DOMAIN.md section 1. Questions that need one of them
	// fail. Which records they are is in the log and the metrics.
	Quarantined int
	// NotConfirmed says that changes are not being received, so that facts are used until they reach their maximum age.
	NotConfirmed bool
	// MissingProofs names the missing conditions for concluding, from the absence of announcements, that nothing has
	// changed. Names consist of lower-case letters and "_". Empty if facts are confirmed.
	MissingProofs []string
	// SharedCacheDown says that the cache shared by sidecars is unavailable.
	SharedCacheDown bool
}

// appendMembershipProblems appends a member about problems with the facts. It appends nothing if there are none.
func appendMembershipProblems(out []byte, s MembershipStatus) []byte {
	if s.Quarantined == 0 && !s.NotConfirmed && len(s.MissingProofs) == 0 && !s.SharedCacheDown {
		return out
	}
	data, err := json.Marshal(struct {
		Quarantined     int      `json:"quarantined_count,omitempty"`
		NotConfirmed    bool     `json:"not_vouched,omitempty"`
		MissingProofs   []string `json:"unconfirmed,omitempty"`
		SharedCacheDown bool     `json:"shared_lost,omitempty"`
	}{s.Quarantined, s.NotConfirmed, s.MissingProofs, s.SharedCacheDown})
	if err != nil {
		return out // cannot happen: numbers, booleans and strings only
	}
	return append(append(out, `,"membership":`...), data...)
}
