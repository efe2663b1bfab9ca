package httpapi

import (
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

const changesPath = "/v1/membership/changes"

// announcing lets only callers with the token for announcements in.
func announcing(h handler) handler {
	return func(x *exchange) error {
		if !x.s.announcer.haveOneOf(x.r.Header["Authorization"]) {
			return x.lock("Send the bearer token for announcements of changes in the Authorization header.")
		}
		return h(x)
	}
}

// announce takes changes, and answers once they are announced.
func (x *exchange) announce() error {
	x.tally.announces = true
	body, err := x.bodyUpTo(maxChangesBody)
	if err != nil {
		return err
	}
	changes, err := parseChanges(body)
	if err != nil {
		return err
	}
	for i := range changes {
		if changes[i].Kind == pdp.UserChanged {
			x.tally.users++
		} else {
			x.tally.locations++
		}
	}
	ctx, cancel := x.deadline()
	defer cancel()
	token, err := x.s.changes.Announce(ctx, changes)
	if err = x.settle(ctx, err); err != nil {
		return unannounced(err)
	}
	x.s.metrics.announce(x.tally.users, x.tally.locations)
	x.out = append(authzen.AppendString(append(x.out[:0], `{"token":`...), token), '}')
	return nil
}

// unannounced gives a failure that has nothing to say words of its own: the usual ones are about questions.
func unannounced(err error) error {
	f := faultOf(err)
	if _, _, usual := statusOf(f.kind); f.message != usual {
		return err
	}
	message := "It is not known whether the changes have been announced: announce them again."
	if f.kind == pdp.Invalid {
		message = "The changes cannot be announced as they are."
	}
	return &pdp.Error{Kind: f.kind, Message: message, Err: f.cause}
}
