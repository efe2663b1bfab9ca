package httpapi

import "encoding/json"

// MembershipStatus is what everybody may know of facts that are not as they should be.
type MembershipStatus struct {
	// Quarantined counts the records that break a rule of DOMAIN.md section 1: questions that need one of them are not
	// answered. Which they are is for log and metrics.
	Quarantined int
	// NotConfirmed says that changes are not heard of now, so that facts live by their age alone.
	NotConfirmed bool
	// MissingProofs names the proofs that are missing for silence to be evidence that nothing has changed, in words of lower-case
	// letters and "_"; none where facts are confirmed.
	MissingProofs []string
	// SharedCacheDown says that the tier that sidecars share cannot be used now.
	SharedCacheDown bool
}

// appendMembershipNotes writes what is not as it should be with the facts. Nothing is written where all is well.
func appendMembershipNotes(out []byte, s MembershipStatus) []byte {
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
		return out // words only
	}
	return append(append(out, `,"membership":`...), data...)
}
