package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/ask"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/client"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/factsource"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/logging"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
)

// askHelp says by which directories a question can be asked.
const askHelp = directoryHelp + ` As by "serve", only the records that the question
needs are fetched, within the time-outs of these settings.`

// askFlags are the flags of ask and explain that do not concern the question.
type askFlags struct {
	serverFlags
	directoryFlags
	bundle, decision string
	json             bool
}

func newAskCommand(p process) *cobra.Command {
	var f askFlags
	var o ask.Options
	cmd := &cobra.Command{
		Use:   "ask SUBJECT ACTION RESOURCE [flags]",
		Short: "Ask whether a subject may perform an action",
		Long: `Ask a running server whether SUBJECT may perform ACTION on RESOURCE. With --directory or --bundle no server is needed:
the policy is evaluated in this process.

` + askHelp + `

RESOURCE is an id. For the actions of the built-in policy its type follows from the action; --type sets another.
Properties are set by KEY=VALUE pairs. A value that is valid JSON is used as JSON (true, 5, [...]; put a text that looks like
JSON in double quotes), any other value is a string. A dot in KEY sets a member of an object (name.given=Ann).

` + serverHelp + `

Exit status: 0 allowed, on condition that every obligation is fulfilled; 1 denied; 2 no decision.`,
		Example: `  wardkeeper ask alice assignment.remove jane --at ghi --from metro
  wardkeeper ask alice assignment.add jane --at ghi --set role=ed_admin --context confirmed=true
  wardkeeper ask carol admin.grant dave --from system --set role=entity_admin --set 'locations=["east","west"]'
  wardkeeper ask bob patient.view 4711 --resource-set 'locations=["ghi"]' --json
  wardkeeper ask alice location.switch ghi --directory directory.yaml
  PGPASSFILE=pgpass wardkeeper ask alice location.switch ghi --directory postgres://reader@db/app
  wardkeeper ask alice can_read 123 --type account --bundle my/policies --decision app/decision`,
		Args: arguments("SUBJECT", "ACTION", "RESOURCE"),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	registerQuestion(flags, &o)
	f.register(flags, "print the AuthZEN response as one line of JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := f.check(); err != nil {
			return err
		}
		q, err := o.Question(args[0], args[1], args[2])
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
		defer cancel()
		d, err := f.ask(ctx, p, q)
		if err != nil {
			return err
		}
		return printDecision(p.stdout, d, q, f.json)
	}
	return cmd
}

// register adds the flags. json says what --json prints.
func (f *askFlags) register(flags *pflag.FlagSet, json string) {
	f.serverFlags.register(flags)
	f.directoryFlags.register(flags, "without a server: `FILE` or URL with the locations and users")
	flags.StringVar(&f.bundle, "bundle", "", "without a server: policy at `PATH`, a folder or a .tar.gz, instead of the built-in one")
	flags.StringVar(&f.decision, "decision", config.DefaultDecision, "without a server: `PATH` of the rule that decides")
	flags.BoolVar(&f.json, "json", false, json)
}

// registerQuestion adds the flags that concern the question.
func registerQuestion(flags *pflag.FlagSet, o *ask.Options) {
	flags.StringVar(&o.Location, "at", "", "`LOCATION` that the question is about")
	flags.StringVar(&o.CurrentLocation, "from", "", "current `LOCATION` of the subject")
	flags.StringArrayVar(&o.ActionProperties, "set", nil, "set a property of the action: `KEY=VALUE` (repeatable)")
	flags.StringArrayVar(&o.ResourceProperties, "resource-set", nil, "set a property of the resource: `KEY=VALUE` (repeatable)")
	flags.StringArrayVar(&o.SubjectProperties, "subject-set", nil, "set a property of the subject: `KEY=VALUE` (repeatable)")
	flags.StringArrayVar(&o.Context, "context", nil, "set a member of the context: `KEY=VALUE` (repeatable)")
	flags.StringVar(&o.ResourceType, "type", "", "`TYPE` of the resource (default: by the action)")
	flags.StringVar(&o.SubjectType, "subject-type", "user", "`TYPE` of the subject")
}

func printDecision(out io.Writer, d *ask.Decision, q *ask.Question, asJSON bool) error {
	text := d.Text(q)
	if asJSON {
		text = terminal.Printable(string(d.JSON)) + "\n"
	}
	if _, err := io.WriteString(out, text); err != nil {
		return err
	}
	if !d.Allow {
		return &exitError{status: statusNo}
	}
	return nil
}

// check returns an error for flags that exclude each other.
func (f askFlags) check() error {
	switch inProcess := f.directory != "" || f.bundle != ""; {
	case inProcess && f.server != "":
		return errors.New("--server cannot be combined with --directory or --bundle, which need no server: choose one")
	case !inProcess && f.decision != config.DefaultDecision:
		return errors.New("--decision applies only without a server: set --bundle or --directory too")
	case f.config != "" && f.directory == "":
		return errors.New("--config has the settings of a directory that is no file: set --directory too")
	}
	return nil
}

func (f askFlags) ask(ctx context.Context, p process, q *ask.Question) (*ask.Decision, error) {
	if f.directory != "" || f.bundle != "" {
		return f.askInProcess(ctx, p, q)
	}
	server, err := f.client(p)
	if err != nil {
		return nil, err
	}
	d, err := ask.Ask(ctx, server, q)
	return d, f.withoutServer(err)
}

// withoutServer adds to the error that no server runs where one is expected by default that none is needed.
func (f askFlags) withoutServer(err error) error {
	if f.server == "" && errors.Is(err, client.ErrUnreachable) {
		return fmt.Errorf("%w; --directory FILE asks without a server", err)
	}
	return err
}

// askInProcess asks a server within this process, so that the answer is the same as a running server's.
func (f askFlags) askInProcess(ctx context.Context, p process, q *ask.Question) (*ask.Decision, error) {
	logger := logging.New(p.stderr, logging.Config{Level: slog.LevelWarn})
	s, err := f.open(ctx, p, logger)
	if err != nil {
		return nil, err
	}
	defer s.close()
	return f.askSidecar(ctx, p, s, q, logger)
}

// open opens a sidecar that neither follows its policy nor its directory. Like a server it fetches only the facts that a question needs.
func (f askFlags) open(ctx context.Context, p process, logger *slog.Logger) (*sidecar, error) {
	bundle, err := bundleAt(f.bundle)
	if err != nil {
		return nil, err
	}
	cfg := sidecarConfig{bundle: bundle, once: true, decision: f.decision, directory: config.PublicName(f.directory), timeout: f.timeout}
	if f.directory != "" && !f.isFile() {
		s, err := membershipSettings(p, f.config, f.directory)
		if err != nil {
			return nil, err
		}
		s.Membership.Postgres.Listen = "" // nothing is kept that a change could make old
		if cfg.cached, err = factsource.Configure(s, nil, logger); err != nil {
			return nil, err
		}
	}
	return openSidecar(ctx, cfg, logger)
}

func (f askFlags) askSidecar(ctx context.Context, p process, s *sidecar, q *ask.Question, logger *slog.Logger) (*ask.Decision, error) {
	server, err := s.newServer(httpapi.Config{BaseURL: defaultServer, Logger: logger, Timeout: f.timeout})
	if err != nil {
		return nil, err
	}
	d, err := ask.Ask(ctx, client.Client{BaseURL: defaultServer, Transport: client.InProcess{Handler: server.Handler()}}, q)
	if err == nil && !d.Allow {
		f.suggest(ctx, p, s, q)
	}
	return d, err
}
