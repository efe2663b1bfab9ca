package main

import (
	"fmt"
	"net/http"
	"sync"

	"github.com/wardkeeper/wardkeeper/adapters/conformance/decisionpoint"
)

// maxConnections is how many connections to the decision point an application may have by default (PEP-8).
const maxConnections = 64

// crowd sends more concurrent requests than the allowed number of connections to the decision point, which answers slowly.
func (s *suite) crowd(pdp *decisionpoint.Server, app *application) []string {
	pdp.MostOpen() // resets the maximum
	var all sync.WaitGroup
	for range 2 * maxConnections {
		all.Go(func() {
			authorization, err := s.issuer.authorization("")
			if err != nil {
				return
			}
			c := testCase{Request: "GET /users/allow-slowly"}
			text, method := c.text(app.addr, authorization)
			_, _ = app.send(text, method)
		})
	}
	all.Wait()
	var problems []string
	if most := pdp.MostOpen(); most > maxConnections {
		problems = append(problems, fmt.Sprintf("%d connections to the decision point were open at once, want at most %d", most, maxConnections))
	}
	opened := pdp.Opened()
	for range 3 {
		authorization, err := s.issuer.authorization("")
		if err != nil {
			return append(problems, err.Error())
		}
		c := testCase{Request: "GET /users/allow"}
		text, method := c.text(app.addr, authorization)
		if got, err := app.send(text, method); err != nil || got.status != http.StatusOK {
			problems = append(problems, fmt.Sprintf("after the crowd a request has status %d (%v), want 200", got.status, err))
		}
	}
	if pdp.Opened()-opened > 1 {
		problems = append(problems, "each request opens a connection of its own to the decision point, want that it is used again")
	}
	return problems
}
