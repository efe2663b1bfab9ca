// Command wardkeeper is a policy-as-code authorization sidecar: it serves decisions over HTTP and asks for them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// What the process says with its exit status.
const (
	statusOK     = 0 // served and stopped, allowed, good
	statusNo     = 1 // denied, not good, or could not serve
	statusFailed = 2 // wrong command line or settings, or no decision could be had
)

func main() {
	signals := make(chan os.Signal, 2) // two: the second stops at once
	hangups := make(chan os.Signal, 1) // one: several at a time mean the same
	p := process{
		stdout:  os.Stdout,
		stderr:  os.Stderr,
		environ: os.Environ(),
		signals: func() <-chan os.Signal {
			signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
			return signals
		},
		hangups: func() <-chan os.Signal {
			signal.Notify(hangups, syscall.SIGHUP)
			return hangups
		},
	}
	os.Exit(p.run(context.Background(), os.Args[1:]))
}

// process is what a command may use of the process that it runs in.
type process struct {
	stdout, stderr io.Writer
	environ        []string
	// signals begins to catch the signals that stop a server. Only serve calls it: any other command is to die of them.
	signals func() <-chan os.Signal
	// hangups begins to catch the signal that has a server read everything again, instead of ending it.
	hangups func() <-chan os.Signal
}

func (p process) run(ctx context.Context, args []string) int {
	root := newRootCommand(p)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return statusOK
	}
	var exit *exitError
	if !errors.As(err, &exit) { // cobra's own, about the command line
		exit = &exitError{status: statusFailed, err: err}
	}
	if exit.err != nil {
		for line := range strings.Lines(exit.err.Error()) {
			if line = strings.TrimRight(line, "\r\n"); line != "" {
				fmt.Fprintf(p.stderr, "wardkeeper: %s\n", printable(discreet(line)))
			}
		}
	}
	return exit.status
}

// exitError ends the process with a status. Without err there is nothing left to say.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }
