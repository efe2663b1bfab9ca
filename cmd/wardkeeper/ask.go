package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/ask"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/logging"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/tokens"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
)

const defaultServer = "http://127.0.0.1:8181"

// askFlags are the flags of ask that are not about the question's wording.
type askFlags struct {
	server, tokenFile           string
	directory, bundle, decision string
	timeout                     time.Duration
	json                        bool
}

func newAskCommand(p process) *cobra.Command {
	var f askFlags
	var o ask.Options
	cmd := &cobra.Command{
		Use:   "ask SUBJECT ACTION RESOURCE [flags]",
		Short: "Ask whether somebody may do something",
		Long: `Ask a running server whether SUBJECT may do ACTION on RESOURCE, or, with --directory or --bundle, ask without one.

RESOURCE is an id. Its type follows from the action where it is one of the built-in policies; --type says otherwise.
KEY=VALUE pairs set properties: a value that is JSON counts as such ("true", "5", "[...]"; in double quotes it is a
string whatever is inside), any other is a string, and a dot in KEY goes one object down (name.given=Ann).

The server is --server, or else WARDKEEPER_SERVER; its token is in --token-file, or else WARDKEEPER_TOKEN_FILE.

Exit status: 0 allowed (together with every obligation), 1 denied, 2 could not ask.`,
		Example: `  wardkeeper ask alice assignment.remove jane --at ghi --from metro
  wardkeeper ask alice assignment.add jane --at ghi --set role=ed_admin --context confirmed=true
  wardkeeper ask carol admin.grant dave --from system --set role=entity_admin --set 'locations=["east","west"]'
  wardkeeper ask bob patient.view 4711 --resource-set 'locations=["ghi"]' --json
  wardkeeper ask alice location.switch ghi --directory directory.yaml
  wardkeeper ask alice can_read 123 --type account --bundle my/policies --decision app/decision`,
		Args: arguments("SUBJECT", "ACTION", "RESOURCE"),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.Location, "at", "", "the place that the question is about: `LOCATION`")
	flags.StringVar(&o.CurrentLocation, "from", "", "where the subject stands now: `LOCATION`")
	flags.StringArrayVar(&o.ActionProperties, "set", nil, "set a property of the action: `KEY=VALUE` (any number of times)")
	flags.StringArrayVar(&o.ResourceProperties, "resource-set", nil, "set a property of the resource: `KEY=VALUE`")
	flags.StringArrayVar(&o.SubjectProperties, "subject-set", nil, "set a property of the subject: `KEY=VALUE`")
	flags.StringArrayVar(&o.Context, "context", nil, "set a member of the context: `KEY=VALUE`")
	flags.StringVar(&o.ResourceType, "type", "", "`TYPE` of the resource (default: what the action is asked on)")
	flags.StringVar(&o.SubjectType, "subject-type", "user", "`TYPE` of the subject")
	flags.StringVar(&f.server, "server", "", "`URL` of the server to ask (default "+defaultServer+")")
	flags.StringVar(&f.tokenFile, "token-file", "", "`FILE` with the server's token; of several, the first line is sent")
	flags.StringVar(&f.directory, "directory", "", "ask without a server: `FILE` with locations and users")
	flags.StringVar(&f.bundle, "bundle", "", "ask without a server: policy at `PATH`, a directory or a .tar.gz, instead of the built-in one")
	flags.StringVar(&f.decision, "decision", config.DefaultDecision, "without a server: `PATH` of the rule that decides")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Second, "how long to wait for the answer")
	flags.BoolVar(&f.json, "json", false, "print the AuthZEN answer as one line of JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if f.decision != config.DefaultDecision && f.directory == "" && f.bundle == "" {
			return errors.New("--decision is for asking without a server: name --bundle or --directory too")
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

func (f askFlags) ask(ctx context.Context, p process, q *ask.Question) (*ask.Decision, error) {
	if f.directory != "" || f.bundle != "" {
		if f.server != "" {
			return nil, errors.New("--server asks a server, --directory and --bundle ask without one: choose")
		}
		return f.askHere(ctx, p, q)
	}
	client := ask.Client{BaseURL: cmp.Or(f.server, p.variable(config.ServerVariable), defaultServer)}
	if _, err := config.ParseBaseURL(client.BaseURL); err != nil { // the address may have a password in it
		return nil, fmt.Errorf("the server (--server, %s) cannot be asked: %w", config.ServerVariable, err)
	}
	if file := cmp.Or(f.tokenFile, p.variable(config.Variable("token-file"))); file != "" {
		found, err := tokens.Read(file)
		if err != nil {
			return nil, err
		}
		client.Token = found[0]
	}
	return client.Ask(ctx, q)
}

// askHere asks an engine in this process, through the front door of a server, so that both answer alike.
func (f askFlags) askHere(ctx context.Context, p process, q *ask.Question) (*ask.Decision, error) {
	logger := logging.New(p.stderr, logging.Config{Level: slog.LevelWarn})
	bundle, err := bundleAt(f.bundle)
	if err != nil {
		return nil, err
	}
	s, err := openSidecar(ctx, sidecarConfig{
		bundle: bundle, once: true, decision: f.decision, directory: f.directory, timeout: f.timeout,
	}, logger)
	if err != nil {
		return nil, err
	}
	defer s.close()
	server, err := s.newServer(httpapi.Config{BaseURL: defaultServer, Logger: logger, Timeout: f.timeout})
	if err != nil {
		return nil, err
	}
	return ask.Client{BaseURL: defaultServer, Transport: ask.InProcess{Handler: server.Handler()}}.Ask(ctx, q)
}

// variable is a variable of the environment.
func (p process) variable(name string) string {
	for _, e := range p.environ {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}
