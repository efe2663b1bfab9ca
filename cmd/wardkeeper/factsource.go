package main

import (
	"context"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// factSource is a source of membership facts. Only one goroutine at a time may call check and activate; the other methods are
// safe for concurrent use.
type factSource interface {
	facts.Source
	// check checks the directory against the vocabulary of a policy; nil admits everything. Questions are not affected until
	// activate.
	check(v *pdp.Vocabulary) error
	// activate puts the directory in force as the last successful check found it. It is called after the policy has been
	// activated.
	activate()
	// checkExists returns an error if there is no directory for a policy to check.
	checkExists() error
	// checkReachable returns an error if the directory cannot be read now.
	checkReachable(ctx context.Context) error
	// logAttrs describes the directory for logs, String for people.
	logAttrs() []any
	String() string
	// reload reads the directory again, or makes new connections to it.
	reload()
	close()
}
