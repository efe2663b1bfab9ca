package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/decisionrecord"
)

// replayTimeout limits each decision of a replay: longer than a server's, because nobody waits for one.
const replayTimeout = 10 * time.Second

// replay is a run of `wardkeeper log replay`.
type replay struct {
	p                                 process
	policy                            *pdp.Policy
	seen, asked, differ, sameRevision int
	notAsked                          map[string]int // by reason
	differences                       table
}

func newLogReplayCommand(p process) *cobra.Command {
	var bundle, decision string
	cmd := &cobra.Command{
		Use:   "replay DIR [flags]",
		Short: "Decide the questions in a log again, and list the answers that differ",
		Long: `Decide each question in a log of decisions again, by the facts in its record and by a policy, and list the answers that are
not those of the log. The policy of the log gives the same answers; another shows what it would have changed.

Searches, other documents of OPA's API, errors, and records whose facts were left out or that the policy masked are not decided
again; they are counted. No directory and no server is asked.

Exit status: 0 no answer differs, 1 some do, or a part of the log is broken, 2 could not be done.`,
		Example: `  wardkeeper log replay /var/log/wardkeeper
  wardkeeper log replay /var/log/wardkeeper --bundle next.tar.gz`,
		Args: arguments("DIR"),
	}
	cmd.Flags().StringVar(&bundle, "bundle", "", "decide by the policy at `PATH`, a folder or a .tar.gz, instead of the built-in one")
	cmd.Flags().StringVar(&decision, "decision", config.DefaultDecision, "`PATH` of the rule that decides")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		policy, err := openPolicy(cmd.Context(), bundle, decision)
		if err != nil {
			return err
		}
		r := replay{p: p, policy: policy, notAsked: map[string]int{}, differences: table{p: p, header: []string{"id", "question", "was", "is"}}}
		return r.run(cmd.Context(), args[0])
	}
	return cmd
}

func (r *replay) run(ctx context.Context, dir string) error {
	progress := terminal.NewProgress(r.p.stderr)
	broken, err := r.p.readLog(dir, func(_ []byte, e *decisionrecord.Entry) error {
		if r.seen++; r.seen%100 == 0 {
			progress.Count(r.seen, "record")
		}
		return r.record(ctx, e)
	})
	progress.Clear()
	if err = errors.Join(err, r.differences.flush()); err != nil {
		return err
	}
	if err := printLine(r.p.stdout, r.summary()); err != nil {
		return err
	}
	if broken || r.differ > 0 {
		return &exitError{status: statusNo}
	}
	return nil
}

func (r *replay) record(ctx context.Context, e *decisionrecord.Entry) error {
	limited, cancel := context.WithTimeout(ctx, replayTimeout)
	defer cancel()
	is, same, err := e.Replay(limited, r.policy)
	switch {
	case errors.Is(err, decisionrecord.ErrCannotReplay):
		r.notAsked[err.Error()]++
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	r.asked++
	if e.Revision == r.policy.Revision().ID {
		r.sameRevision++
	}
	if err == nil && same {
		return nil
	}
	r.differ++
	now := decisionrecord.Failed
	if err == nil {
		now = is.String()
	}
	return r.differences.add([]string{e.ID, questionText(e), e.Answer.String(), now})
}

// questionText returns a question as `wardkeeper ask` takes it.
func questionText(e *decisionrecord.Entry) string {
	cells := questionCells(e)
	text := strings.Join(cells[:3], " ")
	if cells[3] != "" {
		text += " --at " + cells[3]
	}
	if cells[4] != "" {
		text += " --from " + cells[4]
	}
	return text
}

func (r *replay) summary() string {
	text := fmt.Sprintf("%s of %s decided again by %s: ", terminal.Count(r.asked, "decision"), terminal.Count(r.seen, "record"),
		policyName(r.policy.Revision()))
	if r.differ == 0 {
		text += "no answer differs"
	} else {
		text += terminal.Count(r.differ, "answer") + " differ"
	}
	if other := r.asked - r.sameRevision; other > 0 {
		text += fmt.Sprintf("; %d were made by another revision", other)
	}
	for _, reason := range slices.Sorted(maps.Keys(r.notAsked)) {
		text += fmt.Sprintf("; %d not: %s", r.notAsked[reason], reason)
	}
	return text + "."
}
