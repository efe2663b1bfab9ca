package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/ask"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/callers"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/logging"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/unixsocket"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

const defaultServer = "http://127.0.0.1:8181"

// askFlags are the flags of ask that do not concern the question.
type askFlags struct {
	server, tokenFile           string
	caFile, certFile, keyFile   string
	directory, bundle, decision string
	timeout                     time.Duration
	json                        bool
}

func newAskCommand(p process) *cobra.Command {
	var f askFlags
	var o ask.Options
	cmd := &cobra.Command{
		Use:   "ask SUBJECT ACTION RESOURCE [flags]",
		Short: "Ask whether a subject may perform an action",
		Long: `Ask a running server whether SUBJECT may perform ACTION on RESOURCE. With --directory or --bundle no server is needed:
the policy is evaluated in this process.

RESOURCE is an id. For the actions of the built-in policy its type follows from the action; --type sets another.
Properties are set by KEY=VALUE pairs. A value that is valid JSON is used as JSON (true, 5, [...]; put a text that looks like
JSON in double quotes), any other value is a string. A dot in KEY sets a member of an object (name.given=Ann).

The server is --server, or WARDKEEPER_SERVER: a URL, or unix:/PATH for a server that listens on a Unix socket. Its token is read from --token-file, or WARDKEEPER_TOKEN_FILE.
--ca-file is for a server whose certificate is not of one of the system's authorities.

Exit status: 0 allowed, on condition that every obligation is fulfilled; 1 denied; 2 no decision.`,
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
	flags.StringVar(&o.Location, "at", "", "`LOCATION` that the question is about")
	flags.StringVar(&o.CurrentLocation, "from", "", "current `LOCATION` of the subject")
	flags.StringArrayVar(&o.ActionProperties, "set", nil, "set a property of the action: `KEY=VALUE` (repeatable)")
	flags.StringArrayVar(&o.ResourceProperties, "resource-set", nil, "set a property of the resource: `KEY=VALUE` (repeatable)")
	flags.StringArrayVar(&o.SubjectProperties, "subject-set", nil, "set a property of the subject: `KEY=VALUE` (repeatable)")
	flags.StringArrayVar(&o.Context, "context", nil, "set a member of the context: `KEY=VALUE` (repeatable)")
	flags.StringVar(&o.ResourceType, "type", "", "`TYPE` of the resource (default: by the action)")
	flags.StringVar(&o.SubjectType, "subject-type", "user", "`TYPE` of the subject")
	flags.StringVar(&f.server, "server", "", "`URL|unix:/PATH` of the server to ask (default "+defaultServer+")")
	flags.StringVar(&f.tokenFile, "token-file", "", "`FILE` with the server's token; the first line is sent")
	flags.StringVar(&f.caFile, "ca-file", "", "`FILE` with the authorities of the server's certificate (PEM)")
	flags.StringVar(&f.certFile, "cert-file", "", "`FILE` with a client certificate (PEM)")
	flags.StringVar(&f.keyFile, "key-file", "", "`FILE` with the key of the client certificate (PEM)")
	flags.StringVar(&f.directory, "directory", "", "without a server: directory `FILE` with locations and users")
	flags.StringVar(&f.bundle, "bundle", "", "without a server: policy at `PATH`, a folder or a .tar.gz, instead of the built-in one")
	flags.StringVar(&f.decision, "decision", config.DefaultDecision, "without a server: `PATH` of the rule that decides")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Second, "how long to wait for the answer")
	flags.BoolVar(&f.json, "json", false, "print the AuthZEN response as one line of JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if f.decision != config.DefaultDecision && f.directory == "" && f.bundle == "" {
			return errors.New("--decision applies only without a server: set --bundle or --directory too")
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
			return nil, errors.New("--server cannot be combined with --directory or --bundle, which need no server: choose one")
		}
		return f.askInProcess(ctx, p, q)
	}
	client, err := clientOf(cmp.Or(f.server, p.variable(config.ServerVariable), defaultServer))
	if err != nil {
		return nil, fmt.Errorf("the address of the server (--server, %s) is invalid: %w", config.ServerVariable, err)
	}
	if client.Transport == nil {
		files, err := rotation.OpenTLS(rotation.TLSConfig{CAFile: f.caFile, CertFile: f.certFile, KeyFile: f.keyFile})
		if err != nil {
			return nil, err
		}
		client.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: files.Config(), ForceAttemptHTTP2: true}
	}
	if file := cmp.Or(f.tokenFile, p.variable(config.Variable("token-file"))); file != "" {
		found, err := callers.Read(file)
		if err != nil {
			return nil, err
		}
		client.Token = found[0]
	}
	return client.Ask(ctx, q)
}

// clientOf returns a client of the server at a URL or Unix socket. Its error does not quote a URL, which may contain a password.
func clientOf(server string) (ask.Client, error) {
	if !config.IsUnix(server) {
		if _, err := config.ParseBaseURL(server); err != nil {
			return ask.Client{}, fmt.Errorf("%w, or unix:/PATH", err)
		}
		return ask.Client{BaseURL: server}, nil
	}
	addr, err := config.ParseAddr(server)
	if err != nil {
		return ask.Client{}, err
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return unixsocket.Dial(ctx, addr.Address) }
	return ask.Client{BaseURL: "http://localhost", Transport: &http.Transport{DialContext: dial}}, nil
}

// askInProcess asks a server within this process, so that the answer is the same as a running server's.
func (f askFlags) askInProcess(ctx context.Context, p process, q *ask.Question) (*ask.Decision, error) {
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

// variable returns an environment variable, or "".
func (p process) variable(name string) string {
	for _, e := range p.environ {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}
