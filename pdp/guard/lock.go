package guard

import (
	"context"
	"encoding/base64"
	"errors"
	"time"
)

// Lock is what a claim takes for one record.
type Lock struct {
	Name string // a hash: of limited length, and without personal data
	// State is the [Record.State] that is about to be replaced: once a user has another one, the change has been made, and the
	// next one may be claimed. "" for records whose changes are not seen: the next one waits until the claim expires.
	State     string
	Exclusive bool
}

// Locks returns what a claim takes for a change that stands on records.
func Locks(records []Record) []Lock {
	locks := make([]Lock, len(records))
	for i, r := range records {
		name, state := digest(r.Type, r.ID), ""
		if r.State != "" {
			state = encode(r.State)
		}
		locks[i] = Lock{Name: encode(name), State: state, Exclusive: r.Exclusive}
	}
	return locks
}

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// ErrFull is the error for a claim when there are too many.
var ErrFull = errors.New("too many claims are in force")

// Claims keeps what has been claimed. Implementations must be safe for concurrent use, and limit each call in time.
type Claims interface {
	// Claim takes all locks for a time, or none of them. It returns 0 if it took them, and otherwise how long the claims that
	// are in the way have left. Locks of one name exclude each other
	//   - if the one that is held is exclusive, and has the same state;
	//   - if only the one that is asked for is exclusive, whatever their states.
	// A record that cannot be locked exclusively because others share it is not shared anew for a while: a revocation must not
	// wait for an administrator who never pauses. id names the claim and is used once. After an error it is unknown whether the
	// locks are taken.
	Claim(ctx context.Context, id string, locks []Lock, ttl time.Duration) (wait time.Duration, err error)
	// Release gives the locks of a claim back. It does nothing for those that it does not hold.
	Release(ctx context.Context, id string, locks []Lock) error
}
