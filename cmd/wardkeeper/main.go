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

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/lifecycle"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/logging"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
)

// The exit statuses.
const (
	statusOK     = 0 // served and stopped, allowed, valid
	statusNo     = 1 // denied, not valid, or serving failed
	statusFailed = 2 // the command line or the settings are invalid, or there is no answer
)

func main() {
	signals := make(chan os.Signal, 2) // the second stops at once
	hangups := make(chan os.Signal, 1) // several pending ones mean the same as one
	quits := make(chan os.Signal, 1)
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
		quits: func() <-chan os.Signal {
			signal.Notify(quits, syscall.SIGQUIT)
			return quits
		},
		ignoreSIGPIPE: func() { signal.Ignore(syscall.SIGPIPE) },
	}
	os.Exit(p.run(context.Background(), os.Args[1:]))
}

// process holds what commands use of the operating system's process. Only serve calls the functions, and bench calls signals: in other
// commands, signals keep their default effect.
type process struct {
	stdout, stderr io.Writer
	environ        []string
	// signals starts catching the signals that stop a server. It may be nil in commands but serve.
	signals func() <-chan os.Signal
	// hangups starts catching the signal that makes a server reload everything. It may be nil.
	hangups func() <-chan os.Signal
	// quits starts catching the signal that makes the Go runtime print all goroutines and exit. It may be nil.
	quits func() <-chan os.Signal
	// ignoreSIGPIPE keeps a server alive if the reader of its log exits. It may be nil.
	ignoreSIGPIPE func()
}

// run runs the command that args name and returns the exit status.
func (p process) run(ctx context.Context, args []string) int {
	root := newRootCommand(p)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return statusOK
	}
	var exit *exitError
	if !errors.As(err, &exit) { // an error of cobra about the command line
		exit = &exitError{status: statusFailed, err: err}
	}
	if exit.err != nil {
		lifecycle.RunWithin(explainTimeout, func() { p.explain(exit.err) })
	}
	return exit.status
}

// quit ends the process as SIGQUIT does when it is not caught: the runtime prints the stacks of all goroutines.
func quit() {
	signal.Reset(syscall.SIGQUIT)
	if self, err := os.FindProcess(os.Getpid()); err == nil && self.Signal(syscall.SIGQUIT) == nil {
		select {}
	}
	os.Exit(statusFailed) // there is no such signal on this system
}

// explainTimeout limits how long the process waits for the reader of its last message, which may have stalled.
const explainTimeout = time.Second

// explain prints each line of an error.
func (p process) explain(err error) {
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			fmt.Fprintf(p.stderr, "wardkeeper: %s\n", terminal.Printable(logging.Redact(line)))
		}
	}
}

// exitError ends the process with a status. If err is nil, nothing more is printed.
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
