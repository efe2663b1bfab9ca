package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wardkeeper/wardkeeper/adapters/forwardauth"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/callers"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/factsource"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/lifecycle"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/limits"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/logging"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/metrics"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/terminal"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
)

func newServeCommand(p process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve [flags]",
		Short: "Serve decisions over HTTP",
		Long: `Serve decisions over HTTP until stopped by SIGINT or SIGTERM. Then /ready fails first, so that load balancers send nothing
new, for --shutdown-delay; after that requests in flight may finish. A second signal stops at once. SIGQUIT stops at once too,
and prints what every goroutine does.

Every setting is a flag, an environment variable and a key of the YAML file: --token-file is WARDKEEPER_TOKEN_FILE and
token_file. The file overrides the defaults, variables override the file, flags override variables; an empty variable
counts as unset. Unknown settings are errors, and all errors are reported at once. --check reports them and exits.

--addr is HOST:PORT or unix:/PATH. Several are given by several flags, by commas in the variable, or by a list in the file. Who
may write to a Unix socket may ask there: --socket-mode. A socket that a killed server left is replaced; other files are not.
systemd:NAME are the sockets that systemd passes by that name (FileDescriptorName).

--operations-addr ADDR serves metrics, the policy in force, profiles (/debug/pprof/) and probes. The other addresses then have no
metrics.

--routes FILE says what the requests to an application mean. nginx, Caddy and others then ask at /adapters/forward-auth whether
one may pass, and Envoy asks over gRPC at --ext-authz ADDR (ext_authz, version 3), to which the rules of --addr apply.

With --token-file clients must send one of its lines as "Authorization: Bearer ...". The key callers of the YAML file gives names
and roles to clients, which are recognized by tokens, HTTP Basic, client certificates or JSON Web Tokens. To let everybody ask at an address that
other machines can reach, confirm it with --insecure.

With --tls-cert-file and --tls-key-file every address but Unix sockets speaks TLS (1.2 or 1.3; HTTP/2 where the client can). With
--tls-client-ca-file clients need a certificate of these authorities; with --tls-client-certificates optional they may have one.

Files with tokens, passwords, keys and certificates are read again when they change; if one is missing or invalid, its last
good content stays in force and a warning is logged. SIGHUP reloads everything at once: these files, the directory file, the
bundle, and the connections to an application or a database. Settings are read only at the start.

--directory is the source of membership facts: a file, read again when it changes; https://HOST/PATH, an application with the
API that "wardkeeper directory openapi" prints; or postgres://HOST/DATABASE with the tables that "wardkeeper directory
schema" prints. With --redis, sidecars share fetched facts, and changes announced to one of them (--changes-token-file)
reach all. The key membership of the YAML file has more settings: credentials, TLS, tables, limits, and the promise that
every change is announced (announced: all). Without it, facts of an application are trusted for a limited time.

--fleet-key-file FILE has the keys that all sidecars share, one a line, such as the output of "openssl rand -hex 32": the first one
signs, every one verifies. Facts and announcements in Redis, page tokens and at_least tokens are authenticated by them. Without it,
whoever writes to Redis can make up facts.

Callers that ask for guards can claim what an allowed change stands on, so that no other change of the same records is made
meanwhile. A guard can be claimed for --guard-lifetime, and the claim lasts for --claim-lifetime. Sidecars exclude each other's
claims through --redis, and open each other's guards by --fleet-key-file.

--bundle is followed while serving: a folder, a .tar.gz, https://HOST/PATH or oci://REGISTRY/NAME:TAG. If a new bundle is
refused, the active policy stays in force, and /ready, /v1/revision and the log tell the reason. A bundle from the network
must be signed (--verification-key) and needs --state-dir, which keeps the last good bundle for when its server is down.
The key policy.bundle of the YAML file has more settings: credentials, TLS, polling, keys by id, max_age.

--decision-log DIR records every decision: who asked what, by which facts and policy, and what was answered, without names or other
private data. With --decision-log-durability sync an answer leaves only after its record is on disk. The key decision_log of the
YAML file has more settings, and the sinks that records are sent to. "wardkeeper log" shows, exports, verifies and replays such a log.

Unless GOGC is set, the garbage collector runs with GOGC=400, and no sooner than after some 90 MB, if the memory limit has
room for that. Unless GOMEMLIMIT is set, the memory limit is nine tenths of the container's (cgroups), and if GOGC is not
set either, 64 MiB and one and a half times membership.memory, or 256 MiB and twice the size of a directory file.

Exit status: 0 stopped on request, or checked without errors; 1 could not serve, or stopped before every request had
finished; 2 settings, policy or directory are invalid.`,
		Example: `  wardkeeper serve --directory directory.yaml
  wardkeeper serve --addr 0.0.0.0:8181 --directory directory.yaml --token-file /run/secrets/wardkeeper
  wardkeeper serve --addr 0.0.0.0:8443 --directory directory.yaml --token-file /run/secrets/wardkeeper \
    --tls-cert-file /etc/wardkeeper/tls.crt --tls-key-file /etc/wardkeeper/tls.key
  wardkeeper serve --addr unix:/run/wardkeeper/pdp.sock --addr 127.0.0.1:8181 --directory directory.yaml
  wardkeeper serve --directory directory.yaml --routes routes.yaml --ext-authz unix:/run/wardkeeper/envoy.sock
  wardkeeper serve --bundle my/policies --decision app/allow
  wardkeeper serve --directory postgres://wardkeeper@db/app --redis redis://cache:6379 --changes-token-file /run/secrets/changes
  wardkeeper serve --bundle https://bundles.example.org/authz.tar.gz --verification-key public.pem \
    --state-dir /var/lib/wardkeeper --directory directory.yaml
  WARDKEEPER_DIRECTORY=directory.yaml wardkeeper serve --config wardkeeper.yaml --check`,
		Args: arguments(),
	}
	flags := config.RegisterFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := config.Load(p.environ, flags)
		if _, unread := errors.AsType[*config.FileError](err); unread {
			return &exitError{statusFailed, err}
		}
		return p.serve(cmd.Context(), s, errors.Join(err, s.Validate()))
	}
	return cmd
}

// serve wires everything from the settings, and serves until it is told to stop. It reports the faults of the settings together
// with those of the files that they name.
func (p process) serve(ctx context.Context, s *config.Settings, faults error) error {
	memory := limits.TuneGC(os.Getenv)
	if p.ignoreSIGPIPE != nil {
		p.ignoreSIGPIPE()
	}
	logger, logs := logging.NewAsync(p.stderr, logging.Config{Level: s.Level(), JSON: s.LogFormat == "json"})
	defer logs.Close(s.CloseTimeout())
	if p.quits != nil {
		go func(quits <-chan os.Signal) {
			<-quits
			logs.Close(s.CloseTimeout()) // the lines of the log come before the stacks
			quit()
		}(p.quits())
	}
	var hangups <-chan os.Signal
	if !s.Check && p.hangups != nil {
		hangups = p.hangups()
	}
	secure, tlsFaults := openTLS(s, logger)
	clients, err := openCallers(s, secure, logger)
	faults = errors.Join(faults, err, tlsFaults)
	if s.Check {
		faults = errors.Join(faults, checkSockets(s))
	}
	decisions, err := openDecisionLog(s, s.Check || faults != nil, p.stdout, logger)
	decisions.hidePeople(logs)
	faults = errors.Join(faults, err)
	defer func() {
		closing, cancel := context.WithTimeout(context.Background(), s.CloseTimeout())
		defer cancel()
		decisions.close(closing, logger)
	}()
	side, err := openConfigured(ctx, s, faults == nil, memory, decisions, logger)
	if side != nil {
		defer lifecycle.RunWithin(s.CloseTimeout(), side.close)
	}
	traced, traceFaults := openTraces(ctx, s, logger)
	defer traced.close(s.CloseTimeout())
	checker, routeFaults := openRouteFile(s, side, clients, logger)
	if faults = errors.Join(faults, err, traceFaults, routeFaults); faults != nil {
		return &exitError{statusFailed, faults}
	}
	clients.WarnIfExposed()
	warnIfReadable(logger, s.TLSKeyFile, s.DecisionLog.KeyFile, s.DecisionLog.PseudonymKeyFile)
	warnIfReplaceable(slices.Concat(s.Addr, s.ExtAuthz, s.OperationsAddr).Parsed(), logger)
	if s.Check {
		return p.reportCheck(s, side)
	}
	slog.SetDefault(logger) // for libraries
	memory.Log(logger)
	stop := p.signals()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opened, err := listen(s, logger)
	if err != nil {
		return &exitError{statusNo, err}
	}
	api := serverConfig(s, opened.api, secure, clients, logger)
	api.Tracer = traced.tracer()
	envoy, err := newEnvoyServer(s, side, checker, secure, clients, logger)
	if err == nil && checker != nil {
		api.ForwardAuth, err = forwardauth.New(forwardauth.Config{Checker: checker, Timeout: s.ProxyTimeout, Logger: logger})
	}
	if err != nil {
		return &exitError{statusNo, errors.Join(err, opened.close())}
	}
	server, err := side.newServer(api, append(secure.metrics(), buildInfo(), metrics.Log(logs.Dropped))...)
	if err != nil {
		return &exitError{statusNo, errors.Join(err, opened.close())}
	}
	urls := opened.api.urls(secure.scheme())
	logger.Info(fmt.Sprintf("wardkeeper serves %s, %s", strings.Join(urls, " and "), side),
		append([]any{"url", urls[0], "urls", urls}, side.logAttrs()...)...)
	if len(opened.envoy) > 0 {
		logger.Info("wardkeeper answers Envoy", "addresses", opened.envoy.addrs())
	}
	if len(opened.operations) > 0 {
		logger.Info("wardkeeper serves metrics and profiles", "urls", opened.operations.urls(secure.scheme()))
	}
	go server.WatchReadiness(ctx)
	go lifecycle.ReloadOften(ctx, clients.Reload, secure.reload, decisions.reload)
	go lifecycle.ReloadOnSignal(ctx, hangups, logger, clients.Reload, secure.reload, side.reload, decisions.reload)
	limited, limitedEnvoy := server.ListenersBeside(connectionLimit(s, logger), opened.api, opened.envoy)
	others := newOperationsServers(server, opened.operations)
	if envoy != nil {
		others = append(others, envoyServer{envoy, limitedEnvoy})
	}
	how := lifecycle.Stopping{Announce: side.announceStop, Delay: s.StopDelay(), Timeout: s.ShutdownTimeout - 4*s.CloseTimeout()}
	if err := lifecycle.Serve(ctx, server.HTTPServer(), limited, how, logger, stop, others...); err != nil {
		return &exitError{statusNo, err}
	}
	return nil
}

// openConfigured opens the policy and the directory that the settings name. If the settings are invalid, it opens files to
// report their faults as well, but connects to no application or database.
func openConfigured(
	ctx context.Context, s *config.Settings, valid bool, memory *limits.Memory, decisions *decisionLog, logger *slog.Logger,
) (*sidecar, error) {
	bundle, err := bundleOf(s, logger)
	keys, fault := openFleetKey(s, logger)
	err = errors.Join(err, fault)
	var cached *factsource.Config
	if valid {
		cached, fault = factsource.Configure(s, keys, logger)
		err = errors.Join(err, fault)
		if cached != nil {
			memory.ReserveCache(int(s.Membership.Memory))
		}
	}
	if err != nil || !valid && config.KindOf(s.Directory) != config.FileDirectory {
		return nil, err
	}
	return openSidecar(ctx, sidecarConfig{
		bundle: bundle, once: s.Check, decision: s.Decision, directory: config.PublicName(s.Directory), cached: cached,
		timeout: s.EvaluationTimeout, evaluator: s.Evaluator, serveData: s.ServeData, onLoad: memory.Loaded,
		decisions: decisions, fleetKey: keys, guards: pdp.GuardConfig{Lifetime: s.GuardLifetime, Claim: s.ClaimLifetime},
	}, logger)
}

func (p process) reportCheck(s *config.Settings, side *sidecar) error {
	fmt.Fprintf(p.stdout, "All good: %s.\n", terminal.Printable(side.String()))
	if config.KindOf(s.Directory) != config.FileDirectory {
		fmt.Fprintln(p.stdout, `Not all records of the directory were read: "wardkeeper directory check" does that.`)
	}
	return nil
}

func serverConfig(s *config.Settings, l listeners, secure *serverTLS, clients *callers.Callers, logger *slog.Logger) httpapi.Config {
	baseURL := s.BaseURL
	if baseURL == "" {
		baseURL = l.baseURL(secure.scheme(), logger)
	}
	return httpapi.Config{
		BaseURL:           baseURL,
		TLS:               secure.config(),
		OperationsApart:   len(s.OperationsAddr) > 0,
		Callers:           clients,
		Logger:            logger,
		LogSampleRate:     s.LogSampleRate,
		Timeout:           s.RequestTimeout,
		ReadHeaderTimeout: s.ReadHeaderTimeout,
		ReadTimeout:       s.ReadTimeout,
		IdleTimeout:       s.IdleTimeout,
		MaxQuestions:      s.MaxRequests,
		MaxBatches:        s.MaxBatches,
	}
}

func connectionLimit(s *config.Settings, logger *slog.Logger) int {
	files := limits.OpenFiles()
	limit := s.ConnectionLimit(files)
	if limit < s.MaxConnections {
		logger.Warn("The limit of open files allows fewer connections than max_connections: raise it (ulimit -n).",
			"max_connections", s.MaxConnections, "room", limit, "open_files", files)
	}
	return limit
}
