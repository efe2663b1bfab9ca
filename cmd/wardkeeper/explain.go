package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/ask"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/explain"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/logging"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// explainFlags are the flags of explain that do not concern the question.
type explainFlags struct {
	askFlags
	voice string
	all   bool
}

func newExplainCommand(p process) *cobra.Command {
	var f explainFlags
	var o ask.Options
	cmd := &cobra.Command{
		Use:   "explain SUBJECT ACTION RESOURCE [flags]",
		Short: "Explain a decision: its rules and facts, and what would flip it",
		Long: `Ask a running server whether SUBJECT may perform ACTION on RESOURCE, and explain the decision: by which rules and facts it was
made, and which single changes of a fact or of the question would give the opposite answer, the most plausible first. With
--directory or --bundle no server is needed. A server explains answers to callers with the role explain.

--for administrator explains it to SUBJECT, and tells nothing that the policy does not let SUBJECT see: what is told follows
from the answer, from SUBJECT's own record, and from what user.view and user.view_locations allow of the user asked about.
Where the answer depends on that user's record and SUBJECT may not see it, a change is told with that proviso.

--for author, without a server alone, explains it to whoever writes the policy, by the whole directory: each rule that failed with
the expression that did, and each that held, by file and line; then the cells of tables and the facts that were read. Rules whose names
begin with an underscore, what the question says itself and the sentences of the answer are shown with --all.

` + askHelp + `

` + serverHelp + `

A question is written as for "wardkeeper ask". At most ` + fmt.Sprint(pdp.MaxCounterfactuals) + ` changes are shown.

Exit status: 0 allowed, on condition that every obligation is fulfilled; 1 denied; 2 no decision.`,
		Example: `  wardkeeper explain alice assignment.remove jane --at ghi --from metro
  wardkeeper explain alice assignment.remove jane --at ghi --from metro --directory directory.yaml
  wardkeeper explain tom user.deactivate jane --directory directory.yaml --for author
  wardkeeper explain alice user.edit jane --from metro --directory directory.yaml --bundle my/policies --json`,
		Args: arguments("SUBJECT", "ACTION", "RESOURCE"),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	registerQuestion(flags, &o)
	flags.StringVar(&f.voice, "for", string(pdp.ForAdministrator), "for whom: `VOICE` administrator or author")
	flags.BoolVar(&f.all, "all", false, "show the author every rule that held and every value that was read")
	f.register(flags, "print the AuthZEN response, with context.explanation, as one line of JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		voice := pdp.Voice(f.voice)
		switch {
		case voice != pdp.ForAdministrator && voice != pdp.ForAuthor:
			return fmt.Errorf("--for is %q: use administrator or author", f.voice)
		case f.all && voice != pdp.ForAuthor:
			return errors.New("--all applies to --for author alone: the administrator is told everything that may be told")
		case voice == pdp.ForAuthor && f.directory == "" && f.bundle == "":
			return errors.New("--for author applies only without a server: set --directory or --bundle too")
		}
		if err := f.check(); err != nil {
			return err
		}
		q, err := o.Question(args[0], args[1], args[2])
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
		defer cancel()
		explain := f.askServer
		if f.directory != "" || f.bundle != "" {
			explain = f.explain
		}
		d, x, err := explain(ctx, p, q, voice)
		if err != nil {
			return err
		}
		return f.print(p.stdout, d, x, q)
	}
	return cmd
}

// explain asks a server within this process, and lets its engine explain the answer.
func (f explainFlags) explain(ctx context.Context, p process, q *ask.Question, voice pdp.Voice) (*ask.Decision, *pdp.Explanation, error) {
	noteBuiltIn(p, f.bundle)
	logger := logging.New(p.stderr, logging.Config{Level: slog.LevelWarn})
	s, err := f.open(ctx, p, logger)
	if err != nil {
		return nil, nil, err
	}
	defer s.close()
	d, err := f.askSidecar(ctx, p, s, q, logger)
	if err != nil {
		return nil, nil, err
	}
	body, err := json.Marshal(q)
	if err != nil {
		return nil, nil, err
	}
	r, err := authzen.DecodeEvaluation(body)
	if err != nil {
		return nil, nil, err
	}
	x, err := s.engine.Explain(ctx, r, voice)
	return d, x, err
}

// askServer asks a running server for the answer with its explanation.
func (f explainFlags) askServer(ctx context.Context, p process, q *ask.Question, _ pdp.Voice) (*ask.Decision, *pdp.Explanation, error) {
	server, err := f.client(p)
	if err != nil {
		return nil, nil, err
	}
	explained := *q
	explained.Context = maps.Clone(q.Context)
	if explained.Context == nil {
		explained.Context = map[string]any{}
	}
	explained.Context["include"] = []any{"explanation"}
	d, err := ask.Ask(ctx, server, &explained)
	if err != nil {
		return nil, nil, f.withoutServer(err)
	}
	x := new(pdp.Explanation)
	if given, err := d.Take("explanation", x); err != nil || !given {
		return nil, nil, errors.Join(err, errors.New("the server does not explain the answer: the caller needs the role explain, and the policy facts"))
	}
	return d, x, nil
}

func (f explainFlags) print(out io.Writer, d *ask.Decision, x *pdp.Explanation, q *ask.Question) error {
	text := d.Text(q) + explain.Text(x, &q.Evaluation, f.all)
	if f.json {
		answer, err := authzen.DecodeResponse(d.JSON)
		if err != nil {
			return err
		}
		if answer.Context == nil {
			answer.Context = map[string]any{}
		}
		answer.Context["explanation"] = x
		data, err := json.Marshal(answer)
		if err != nil {
			return err
		}
		text = terminal.Printable(string(data)) + "\n"
	}
	if _, err := io.WriteString(out, text); err != nil {
		return err
	}
	if !d.Allow {
		return &exitError{status: statusNo}
	}
	return nil
}
