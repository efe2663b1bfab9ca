package client_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/wardkeeper/wardkeeper/adapters/client"
	"github.com/wardkeeper/wardkeeper/adapters/conformance/decisionpoint"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// sidecar stands in for `wardkeeper serve`: it allows questions about the user "allow".
func sidecar() *decisionpoint.Server {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	return decisionpoint.Start(l, nil)
}

func ExampleClient_Decide() {
	pdp := sidecar()
	defer pdp.Close()
	c, err := client.New(client.Config{URL: "http://" + pdp.Addr().String(), Timeout: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	answers, err := c.Decide(context.Background(), []authzen.Evaluation{{
		Subject:  authzen.Entity{Type: "user", ID: "alice"},
		Action:   authzen.Action{Name: "user.view"},
		Resource: authzen.Entity{Type: "user", ID: "allow"},
		Context:  map[string]any{"current_location": "metro"},
	}})
	if err != nil {
		fmt.Println(err) // no answer: nothing is allowed
		return
	}
	fmt.Println(answers[0].Decision)
	// Output: true
}

// Several questions are sent in one request.
func ExampleClient_Decide_batch() {
	pdp := sidecar()
	defer pdp.Close()
	c, err := client.New(client.Config{URL: "http://" + pdp.Addr().String(), Timeout: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	var questions []authzen.Evaluation
	for _, id := range []string{"allow", "deny"} {
		questions = append(questions, authzen.Evaluation{
			Subject:  authzen.Entity{Type: "user", ID: "alice"},
			Action:   authzen.Action{Name: "user.view"},
			Resource: authzen.Entity{Type: "user", ID: id},
		})
	}
	answers, err := c.Decide(context.Background(), questions)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, a := range answers {
		fmt.Println(questions[i].Resource.ID, a.Decision)
	}
	fmt.Println(len(pdp.Requests()), "request")
	// Output:
	// allow true
	// deny false
	// 1 request
}

// Pages are fetched as the list is read.
func ExampleClient_SearchResources() {
	pages := []string{`{"results":[{"type":"user","id":"jane"}],"page":{"next_token":"2"}}`, `{"results":[{"type":"user","id":"joe"}],"page":{"next_token":""}}`}
	pdp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, pages[0])
		pages = pages[1:]
	}))
	defer pdp.Close()
	c, err := client.New(client.Config{URL: pdp.URL, Timeout: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	for hit, err := range c.SearchResources(context.Background(), authzen.Search{
		Subject:  authzen.Entity{Type: "user", ID: "alice"},
		Action:   authzen.Action{Name: "user.view"},
		Resource: authzen.Entity{Type: "user"},
	}) {
		if err != nil {
			fmt.Println("the list is not complete:", err)
			return
		}
		fmt.Println(hit.ID)
	}
	// Output:
	// jane
	// joe
}
