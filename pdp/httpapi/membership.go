package httpapi

import "encoding/json"

// MembershipStatus is what everybody may know of facts that are not as they should be.
type MembershipStatus struct {
	// Quarantined counts the records that break a rule of DOMAIN.md section 1: questions that need one of them are not
	// answered. Which they are is for log and metrics.
	Quarantined int
	// NotVouched says that changes are not heard of now, so that facts live by their age alone.
	NotVouched bool
	// Unconfirmed names the proofs that are missing for silence to be evidence that nothing has changed, in words of lower-case
	// letters and "_"; none where facts are confirmed.
	Unconfirmed []string
	// SharedLost says that the tier that sidecars share cannot be used now.
	SharedLost bool
}

// appendMembershipNotes writes what is not as it should be with the facts. Nothing is written where all is well.
func appendMembershipNotes(out []byte, s MembershipStatus) []byte {
	if s.Quarantined == 0 && !s.NotVouched && len(s.Unconfirmed) == 0 && !s.SharedLost {
		return out
	}
	data, err := json.Marshal(struct {
		Quarantined int      `json:"quarantined_count,omitempty"`
		NotVouched  bool     `json:"not_vouched,omitempty"`
		Unconfirmed []string `json:"unconfirmed,omitempty"`
		SharedLost  bool     `json:"shared_lost,omitempty"`
	}{s.Quarantined, s.NotVouched, s.Unconfirmed, s.SharedLost})
	if err != nil {
		return out // words only
	}
	return append(append(out, `,"membership":`...), data...)
}
