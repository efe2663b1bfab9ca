package pep

import "context"

// Verdict says whether an action may be done. The zero value denies.
type Verdict int

// Verdicts. Only Permitted permits.
const (
	Denied               Verdict = iota // 403
	Permitted                           // do the action, then call [Outcome.Done]
	ConfirmationRequired                // 403: show Outcome.Confirm to the person and ask again with "confirmed": true
	Unavailable                         // 503: no answer that can be understood
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

// Outcome is the result of a question.
type Outcome struct {
	Verdict     Verdict
	Reasons     []Reason     // of a denial
	Advice      []Reason     // may help the person
	Obligations []Obligation // all obligations of the answer
	Confirm     []Obligation // what the person has to confirm, with ConfirmationRequired
	// Err is for the log: why there is no answer, or which obligations could not be performed. It names no person.
	Err error

	todo []task
}

// Permitted reports whether the action may be done.
func (o Outcome) Permitted() bool { return o.Verdict == Permitted }

// Done performs the obligations that follow a permitted action. Call it once the action has succeeded, with a context that
// outlives the request. It tries all of them; the application must repeat those that the error names.
func (o Outcome) Done(ctx context.Context) error {
	if o.Verdict != Permitted {
		return nil
	}
	return run(ctx, o.todo, Handler.after)
}
