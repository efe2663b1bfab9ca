package httpapi

import (
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi/announcement"
)

// announceChanges announces the membership changes of a request, all of them or none:
//
//	200 {"token": "..."}   every sidecar will receive them; the token is for context.at_least of later questions
//	400, 401               nothing was announced, and the same request would fail again
//	500, 503, no response  unknown: repeat the request until it succeeds
func (rc *requestContext) announceChanges() error {
	rc.stats.announcement = true
	body, err := rc.jsonBody(announcement.MaxBody)
	if err != nil {
		return err
	}
	changes, err := announcement.Parse(body)
	if err != nil {
		return err
	}
	for i := range changes {
		if changes[i].Kind == pdp.UserChanged {
			rc.stats.users++
		} else {
			rc.stats.locations++
		}
	}
	ctx := rc.startWork()
	defer rc.endWork()
	token, err := rc.server.announcer.Announce(ctx, changes)
	if err = rc.timeoutIfExpired(ctx, err); err != nil {
		return announceError(err)
	}
	rc.server.metrics.countChanges(rc.stats.users, rc.stats.locations)
	rc.out = append(authzen.AppendString(append(rc.out[:0], `{"token":`...), token), '}')
	return nil
}

// announceError adds a message about announcements to an error without a message, because the default messages are about
// questions.
func announceError(err error) error {
	e := httpErrorOf(err)
	if _, _, defaultMessage := statusOf(e.kind); e.message != defaultMessage {
		return err
	}
	message := "It is not known whether the changes have been announced: announce them again."
	if e.kind == pdp.Invalid {
		message = "The changes cannot be announced as they are."
	}
	return &pdp.Error{Kind: e.kind, Message: message, Err: e.cause}
}
