package main

import (
	"context"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// factSource is a source of membership facts. One goroutine at a time calls check and adopt; the rest is safe for concurrent
// use.
type factSource interface {
	facts.Source
	// check checks the directory by the vocabulary of a policy; nil admits everything. Questions are not affected until
	// adopt.
	check(v *pdp.Vocabulary) error
	// activate puts the directory in force as the last successful check found it. It follows the activation of the policy.
	activate()
	// checkExists returns an error if there is nothing that a policy could check.
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
