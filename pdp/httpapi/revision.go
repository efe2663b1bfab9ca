package httpapi

import (
	"encoding/json"
	"time"
)

const revisionPath = "/v1/revision"

// PolicyStatus is what is known of the policy in force, and of the last attempt to get another.
type PolicyStatus struct {
	ID         string    `json:"revision,omitempty"` // "" where there is none yet
	Label      string    `json:"label,omitempty"`    // what its author calls it
	Sequence   int64     `json:"sequence,omitempty"`
	Source     string    `json:"source,omitempty"`
	Entrypoint string    `json:"entrypoint,omitempty"`
	Verified   bool      `json:"verified"`            // by its signature
	SignedBy   string    `json:"signed_by,omitempty"` // the id of the key
	Activated  time.Time `json:"activated_at,omitzero"`
	Confirmed  time.Time `json:"confirmed_at,omitzero"` // when the source last had it
	FromDisk   bool      `json:"from_disk,omitempty"`   // the source has not confirmed it since the start
	Stale      bool      `json:"stale,omitempty"`       // not confirmed for so long that nothing is decided by it
	// Attempt is the last one to get another; nil where policies are not followed, or have not been yet.
	Attempt *PolicyAttempt `json:"last_attempt,omitempty"`
	// Refused says why the newest bundle of the source is not in force, also while the source cannot be reached; nil where
	// it is, or is not known.
	Refused *PolicyAttempt `json:"refused,omitempty"`
}

// PolicyAttempt is one look at the source of policy. Message is for those who hold the token.
type PolicyAttempt struct {
	At      time.Time `json:"at"`
	Outcome string    `json:"outcome"`
	Reason  string    `json:"reason,omitempty"`
	Message string    `json:"message,omitempty"`
}

// inPublic is what everybody may know of an attempt that came to nothing; nil of any other.
func (a *PolicyAttempt) inPublic() *PolicyAttempt {
	if a == nil || a.Reason == "" {
		return nil
	}
	return &PolicyAttempt{At: a.At, Outcome: a.Outcome, Reason: a.Reason}
}

// showRevision tells which policy is in force.
func (x *exchange) showRevision() (err error) {
	var status PolicyStatus
	if x.s.policy != nil {
		status = x.s.policy()
	}
	x.out, err = json.Marshal(status)
	return err
}

// appendPolicyNotes writes what is not as it should be with the policy, for everybody: words and no causes. Nothing is
// written where all is well.
func appendPolicyNotes(out []byte, s PolicyStatus) []byte {
	var notes struct {
		Revision string         `json:"revision,omitempty"`
		FromDisk bool           `json:"from_disk,omitempty"`
		Stale    bool           `json:"stale,omitempty"`
		Attempt  *PolicyAttempt `json:"last_attempt,omitempty"`
		Refused  *PolicyAttempt `json:"refused,omitempty"`
	}
	notes.Attempt, notes.Refused = s.Attempt.inPublic(), s.Refused.inPublic()
	if notes.Attempt == nil && notes.Refused == nil && !s.FromDisk && !s.Stale {
		return out
	}
	notes.Revision, notes.FromDisk, notes.Stale = s.ID, s.FromDisk, s.Stale
	data, err := json.Marshal(notes)
	if err != nil {
		return out // words and times only
	}
	return append(append(out, `,"policy":`...), data...)
}
