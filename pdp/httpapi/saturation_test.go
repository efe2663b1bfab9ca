package httpapi

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/wardkeeper/wardkeeper/pdp"
)

func TestMetricsShowSaturation(t *testing.T) {
	release := make(chan struct{})
	h := start(t, Config{MaxQuestions: 2, Decider: &fakeDecider{decide: func(context.Context, pdp.Request) (pdp.Decision, error) {
		<-release
		return pdp.Decision{Allow: true}, nil
	}}})
	shows := func(lines ...string) func() bool {
		return func() bool {
			metrics := h.do(http.MethodGet, "/metrics", "").body
			for _, line := range lines {
				if !strings.Contains(metrics, "\n"+line+"\n") {
					return false
				}
			}
			return true
		}
	}
	done := make(chan response)
	for range 3 {
		go func() { done <- h.post("/access/v1/evaluation", question) }()
	}
	h.until("two are worked on, and one waits", shows(`wardkeeper_http_slots_used{kind="questions"} 2`,
		`wardkeeper_http_slots_limit{kind="questions"} 2`, `wardkeeper_http_waiting_requests{kind="questions"} 1`,
		`wardkeeper_http_slots_used{kind="batches"} 0`))
	close(release)
	for range 3 {
		<-done
	}
	h.until("none is", shows(`wardkeeper_http_slots_used{kind="questions"} 0`, `wardkeeper_http_waiting_requests{kind="questions"} 0`))
}
