package fleetkey

import (
	"encoding/hex"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

// quietPeriod ends an outage in the log: what is refused after it is logged again.
const quietPeriod = time.Minute

// reasons are the errors of what does not verify, with their names in metrics.
var reasons = [...]struct {
	err  error
	name string
}{{ErrUnsigned, "unsigned"}, {ErrUnknownKey, "unknown_key"}, {ErrForged, "forged"}}

// account counts what does not verify.
type account struct {
	log     *slog.Logger
	refused [uses][len(reasons)]atomic.Uint64
	last    [uses]atomic.Int64 // when something was last refused, in nanoseconds since 1970
}

// refuse counts an error, and logs it unless one was logged recently. It returns the error.
func (a *account) refuse(use Use, err error) error {
	if err == nil {
		return nil
	}
	for i, reason := range reasons {
		if errors.Is(err, reason.err) {
			a.refused[use][i].Add(1)
		}
	}
	now := time.Now().UnixNano()
	if last := a.last[use].Swap(now); last == 0 || now-last > int64(quietPeriod) || now < last {
		a.log.Warn("ignored what the fleet key does not verify", "what", use.String(), "error", err)
	}
	return err
}

// Status is what keys there are, and what was refused.
type Status struct {
	Keys    []string // ids; the first one signs
	Refused []Refused
}

// Refused counts what did not verify for one reason.
type Refused struct {
	Use    string
	Reason string
	Count  uint64
}

// Status returns the current state; the zero Status without keys.
func (k *Keys) Status() Status {
	var s Status
	if k == nil {
		return s
	}
	for _, one := range k.file.Get() {
		s.Keys = append(s.Keys, hex.EncodeToString(one.id[:]))
	}
	for use := range uses {
		for i, reason := range reasons {
			s.Refused = append(s.Refused, Refused{use.String(), reason.name, k.refused[use][i].Load()})
		}
	}
	return s
}
