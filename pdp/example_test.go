package pdp_test

import (
	"context"
	"fmt"
	"time"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/policies"
)

// Alice administers the region metro and tries to remove Jane from two of her facilities.
func ExampleEngine_Decide() {
	ctx := context.Background()
	revision, err := bundles.Open(ctx, bundles.Config{Files: policies.Files(), Source: "built-in", Entrypoint: "authz/decision"})
	if err != nil {
		panic(err)
	}
	policy, err := pdp.Prepare(ctx, revision)
	if err != nil {
		panic(err)
	}
	view, err := directory.Parse([]byte(`{
		"locations": [
			{"id": "metro", "kind": "region", "model": "regional"},
			{"id": "north", "kind": "division", "parent": "metro"},
			{"id": "abc", "kind": "facility", "parent": "north"},
			{"id": "ghi", "kind": "facility", "parent": "north"}],
		"users": [
			{"id": "alice", "default_location": "metro", "assignments": [{"location": "metro", "role": "regional_admin"}]},
			{"id": "jane", "default_location": "abc", "assignments": [
				{"location": "abc", "role": "ed_normal"}, {"location": "ghi", "role": "ed_admin"}]}]}`), *policy.Vocabulary())
	if err != nil {
		panic(err)
	}
	engine := pdp.New(pdp.Config{Policy: policy, Source: oneView{view}, Timeout: time.Minute})

	for _, facility := range []string{"abc", "ghi"} {
		decision, err := engine.Decide(ctx, pdp.Request{
			Subject:  authzen.Entity{Type: "user", ID: "alice"},
			Action:   authzen.Action{Name: "assignment.remove"},
			Resource: authzen.Entity{Type: "user", ID: "jane", Properties: map[string]any{"location": facility}},
			Context:  map[string]any{"current_location": "metro"},
		})
		if err != nil {
			panic(err)
		}
		fmt.Println(facility, decision.Allow)
		for _, reason := range decision.Reasons {
			fmt.Println("  because", reason.(map[string]any)["code"], "of rule", reason.(map[string]any)["rule"])
		}
		for _, obligation := range decision.Obligations {
			fmt.Println("  on condition of", obligation.ID, obligation.Properties["action"])
		}
	}
	// Output:
	// abc false
	//   because default_location of rule REG-I3
	// ghi true
	//   on condition of REG-W1/multiple_locations confirm
}

// oneView is a source whose directory never changes.
type oneView struct{ view facts.View }

func (s oneView) View(context.Context, facts.Requirement) (facts.View, error) { return s.view, nil }
