package pep

import "context"

// Verdict says what becomes of an action. The zero value denies.
type Verdict int

// Verdicts. Only Permitted permits.
const (
	Denied               Verdict = iota // 403
	Permitted                           // do the action, then call [Outcome.Done]
	ConfirmationRequired                // 403: show Outcome.Confirm to the person and ask again with "confirmed": true
	Unavailable                         // 503: no answer, or none that can be understood
)

func (v Verdict) String() string {
	switch v {
	case Permitted:
		return "permitted"
	case ConfirmationRequired:
		return "confirmation_required"
	case Unavailable:
		return "unavailable"
	}
	return "denied"
}

// Outcome is what became of a question.
type Outcome struct {
	Verdict     Verdict
	Reasons     []Reason     // of a denial
	Advice      []Reason     // may help the person
	Obligations []Obligation // all that the answer carried
	Confirm     []Obligation // what the person has to confirm, with ConfirmationRequired
	// Err says for the log why there is no answer, or what could not be done. It names no person.
	Err error

	todo []task
}

// Permitted reports whether the action may be done.
func (o Outcome) Permitted() bool { return o.Verdict == Permitted }

// Done does the obligations that follow an action that was permitted and has been done. Pass a context that outlives the request. All
// of them are tried; what is in the error the application must repeat.
func (o Outcome) Done(ctx context.Context) error {
	if o.Verdict != Permitted {
		return nil
	}
	return run(ctx, o.todo, Handler.after)
}
