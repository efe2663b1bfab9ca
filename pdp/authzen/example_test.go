package authzen_test

import (
	"encoding/json"
	"fmt"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// A client encodes an evaluation with encoding/json, and treats every response that cannot be decoded as a denial.
func Example_client() {
	request, err := json.Marshal(authzen.Evaluation{
		Subject:  authzen.Entity{Type: "user", ID: "alice"},
		Action:   authzen.Action{Name: "user.view"},
		Resource: authzen.Entity{Type: "user", ID: "jane"},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(string(request))

	for _, body := range []string{`{"decision":true}`, `{"decision":"true"}`} {
		response, err := authzen.DecodeResponse([]byte(body))
		if err != nil {
			fmt.Println("denied:", err)
			continue
		}
		fmt.Println("allowed:", response.Decision)
	}
	// Output:
	// {"subject":{"type":"user","id":"alice"},"action":{"name":"user.view"},"resource":{"type":"user","id":"jane"}}
	// allowed: true
	// denied: The member "decision" is missing or neither true nor false at the top level: send a boolean.
}

// A server decodes requests strictly. The error is a sentence for the client.
func ExampleDecodeEvaluation() {
	_, err := authzen.DecodeEvaluation([]byte(`{"subject":{"type":"user","id":"alice","id":"root"}}`))
	fmt.Println(err)
	// Output:
	// A member appears twice at /subject/id: send each member of an object once.
}
