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
	"time"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/logging"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
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
		outlastReaders: func() { signal.Ignore(syscall.SIGPIPE) },
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
	// outlastReaders keeps the process alive where nobody reads its log any more; nil does nothing. Only serve calls it: any
	// other command ends with whoever reads what it says.
	outlastReaders func()
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
		within(lastWords, func() { p.explain(exit.err) })
	}
	return exit.status
}

// lastWords is how long it may take to say why the process ends: whoever should read it may have stalled.
const lastWords = time.Second

func (p process) explain(err error) {
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			fmt.Fprintf(p.stderr, "wardkeeper: %s\n", terminal.Printable(logging.Redact(line)))
		}
	}
}

// within waits for work that is to end soon. What takes longer goes on by itself, until the process ends.
func within(patience time.Duration, work func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		work()
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
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
