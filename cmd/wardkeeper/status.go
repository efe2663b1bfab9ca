package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/client"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/status"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
)

const minWatchInterval = 100 * time.Millisecond

// statusFlags are the flags of status.
type statusFlags struct {
	serverFlags
	watch, json bool
	interval    time.Duration
}

func newStatusCommand(p process) *cobra.Command {
	var f statusFlags
	cmd := &cobra.Command{
		Use:   "status [flags]",
		Short: "Tell how a running server is doing",
		Long: `Tell how a running server is doing: whether it answers, what is missing, its policy, its facts, its work, and the log of decisions.
Lines that begin with "!" say what is wrong; OPERATIONS.md says what to do. Numbers count since the server's start, and with
--watch in the last interval.

Whether it answers is known to everybody; the rest needs a caller with the role operations, where callers are named. With
--operations-addr the server tells all of it at that address.

` + serverHelp + `

Exit status: 0 it answers all questions, or some (degraded); 1 it answers none, or is stopping; 2 it cannot be reached. So the
command can be the health check of a container; with --watch it goes on until it is interrupted.`,
		Example: `  wardkeeper status
  wardkeeper status --server unix:/run/wardkeeper/pdp.sock
  wardkeeper status --server https://pdp:9090 --ca-file ca.pem --token-file operator --watch
  wardkeeper status --json`,
		Args: arguments(),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&f.watch, "watch", false, "go on, with what has happened since the last time")
	flags.DurationVar(&f.interval, "interval", 2*time.Second, "how long to wait before the next time, with --watch")
	flags.BoolVar(&f.json, "json", false, "print a line of JSON")
	f.register(flags)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case !f.watch && flags.Changed("interval"):
			return errors.New("--interval applies only with --watch")
		case f.interval < minWatchInterval:
			return fmt.Errorf("--interval is %s: use at least %s", f.interval, minWatchInterval)
		}
		server, err := f.client(p)
		if err != nil {
			return err
		}
		if f.watch {
			return f.watchServer(cmd.Context(), p, server)
		}
		snapshot, err := f.read(cmd.Context(), server)
		if err != nil {
			return err
		}
		report := snapshot.Since(nil, f.address(p))
		if err := f.print(p.stdout, report); err != nil {
			return err
		}
		if report.State != status.Ready && report.State != status.Degraded {
			return &exitError{status: statusNo}
		}
		return nil
	}
	return cmd
}

func (f *statusFlags) read(ctx context.Context, server client.Client) (*status.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	return status.Read(ctx, server)
}

func (f *statusFlags) print(out io.Writer, r *status.Report) error {
	text := r.Text()
	if f.json {
		var err error
		if text, err = jsonLine(r); err != nil {
			return err
		}
	}
	_, err := io.WriteString(out, text)
	return err
}

// watchServer prints a report again and again until ctx ends: over the one before on a terminal, else one after the other.
func (f *statusFlags) watchServer(ctx context.Context, p process, server client.Client) error {
	var last *status.Snapshot
	ticker := time.NewTicker(f.interval)
	defer ticker.Stop()
	out := p.stdout
	if redraw := terminal.Is(out) && !f.json; redraw {
		if _, err := io.WriteString(out, "\x1b[2J"); err != nil {
			return err
		}
		out = redrawing{out}
	}
	for {
		report := &status.Report{Server: f.address(p), At: time.Now(), State: status.Unreachable}
		snapshot, err := f.read(ctx, server)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			report.Error = err.Error()
		} else {
			report = snapshot.Since(last, f.address(p))
			last = snapshot
		}
		block := &strings.Builder{}
		if !f.json {
			fmt.Fprintln(block, report.At.Format(time.DateTime))
		}
		if err := f.print(block, report); err != nil {
			return err
		}
		if !f.json {
			fmt.Fprintln(block)
		}
		if _, err := io.WriteString(out, block.String()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// redrawing writes each text over the one before, at the top of a terminal.
type redrawing struct{ terminal io.Writer }

func (w redrawing) Write(text []byte) (int, error) {
	_, err := io.WriteString(w.terminal, "\x1b[H"+strings.ReplaceAll(string(text), "\n", "\x1b[K\n")+"\x1b[J")
	return len(text), err
}
