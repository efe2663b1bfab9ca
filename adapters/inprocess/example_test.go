package inprocess_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/wardkeeper/wardkeeper/adapters/inprocess"
	"github.com/wardkeeper/wardkeeper/adapters/pep"
	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/policies"
)

// The built-in policy decides on the facts of a directory file, which is read again when it changes.
func Example() {
	ctx := context.Background()
	revision, err := bundles.Open(ctx, bundles.Config{Files: policies.Files(), Source: "built-in", Entrypoint: "authz/decision"})
	if err != nil {
		fmt.Println(err)
		return
	}
	policy, err := pdp.Prepare(ctx, revision)
	if err != nil {
		fmt.Println(err)
		return
	}
	people, err := directory.OpenFile(directory.FileConfig{
		Path: "../../testdata/directories/sample.yaml", Vocabulary: *policy.Vocabulary(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = people.Close() }()
	engine := pdp.New(pdp.Config{Policy: policy, Source: people, Timeout: time.Minute})

	enforcer, err := pep.New(pep.Config{Decider: inprocess.New(engine)})
	if err != nil {
		fmt.Println(err)
		return
	}
	outcome := enforcer.Enforce(ctx, authzen.Evaluation{
		Subject:  authzen.Entity{Type: "user", ID: "alice"},
		Action:   authzen.Action{Name: "assignment.remove"},
		Resource: authzen.Entity{Type: "user", ID: "jane", Properties: map[string]any{"location": "ghi"}},
		Context:  map[string]any{"current_location": "metro"},
	})
	fmt.Println(outcome.Verdict, outcome.Refusal().Detail)
	// Output: denied This is the user's default location.
}
