package main

import (
	"fmt"
	"strings"
)

// readLog searches the application's log for what must not be in it.
func (s *suite) readLog(app *application) []string {
	var problems []string
	log := app.log.String()
	for what, text := range map[string]string{
		"the person": subject, "the user that it is about": "obliged-pigeon", "the token of the decision point": pdpToken,
		"an e-mail address": "jane.doe@example.org", "a reason": "not one of yours", "a role": "ed_normal", "a person's token": "eyJ",
	} {
		if strings.Contains(log, text) {
			problems = append(problems, fmt.Sprintf("the log has %s: %q", what, text))
		}
	}
	return problems
}
