package pep_test

import (
	"context"
	"fmt"

	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// cautious asks for a confirmation, and after it allows with an obligation to notify. Real programs use adapters/client or
// adapters/inprocess.
type cautious struct{}

func (cautious) Decide(_ context.Context, questions []authzen.Evaluation) ([]authzen.Response, error) {
	answers := make([]authzen.Response, len(questions))
	for i, q := range questions {
		obligation := map[string]any{"id": "REG-W1/multiple_locations", "type": "custom", "properties": map[string]any{"action": "confirm", "cause": "multiple_locations"}}
		if q.Context["confirmed"] == true {
			obligation = map[string]any{"id": "SYS-2/access_granted", "type": "notification", "properties": map[string]any{"channel": "email", "to": "jane.doe@example.org"}}
		}
		answers[i] = authzen.Response{Decision: true, Context: map[string]any{"obligations": []any{obligation}}}
	}
	return answers, nil
}

func ExampleEnforcer() {
	enforcer, err := pep.New(pep.Config{
		Decider: cautious{},
		Handlers: map[string]pep.Handler{
			"notification": {
				Can: func(o pep.Obligation) bool { return o.Properties["channel"] == "email" },
				After: func(_ context.Context, o pep.Obligation) error {
					fmt.Println("mail to", o.Properties["to"])
					return nil
				},
			},
			pep.Confirm: {}, // the code below asks the person
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	question := authzen.Evaluation{
		Subject:  authzen.Entity{Type: "user", ID: "alice"},
		Action:   authzen.Action{Name: "user.deactivate"},
		Resource: authzen.Entity{Type: "user", ID: "jane"},
	}
	outcome := enforcer.Enforce(ctx, question)
	if outcome.Verdict == pep.ConfirmationRequired {
		fmt.Println("please confirm:", outcome.Confirm[0].Properties["cause"])
		question.Context = map[string]any{"confirmed": true}
		outcome = enforcer.Enforce(ctx, question)
	}
	if !outcome.Permitted() {
		fmt.Println(outcome.Refusal().Detail)
		return
	}
	fmt.Println("jane is deactivated")
	if err := outcome.Done(ctx); err != nil {
		fmt.Println("to be repeated:", err)
	}
	// Output:
	// please confirm: multiple_locations
	// jane is deactivated
	// mail to jane.doe@example.org
}
