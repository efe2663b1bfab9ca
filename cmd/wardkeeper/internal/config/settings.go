package config

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/wardkeeper/wardkeeper/bundles/follow"
)

// Settings is the whole configuration of `wardkeeper serve`. A setting has one name in three spellings: the flag
// --token-file is WARDKEEPER_TOKEN_FILE in the environment and token_file in the YAML file.
type Settings struct {
	// Addr lists the addresses to listen on: HOST:PORT, unix:/PATH or systemd:NAME, at least one. An address that other machines can reach
	// requires that callers are authenticated, or Insecure.
	Addr AddrList
	// SocketMode is the mode of the Unix sockets. Users with write permission may connect.
	SocketMode FileMode
	// TLSCertFile and TLSKeyFile hold the server's certificate and its key (PEM). With them every address but Unix sockets speaks
	// TLS. These files and TLSClientCAFile are read again when they change.
	TLSCertFile, TLSKeyFile string
	// TLSClientCAFile holds the authorities of client certificates (PEM).
	TLSClientCAFile string
	// TLSClientCertificates says whether clients need a certificate of TLSClientCAFile: optional or required.
	TLSClientCertificates string
	// Directory is the source of membership facts: a file with locations, users and assignments, an application (https://)
	// or a database (postgres://). It may be empty if the policy needs no facts.
	Directory string
	// Redis is the URL of the server through which sidecars share facts and announce changes to each other.
	Redis string
	// ChangesTokenFile holds the bearer tokens of clients that may announce changes to the directory. Whether every change is
	// announced is a separate promise: Membership.Announced.
	ChangesTokenFile string
	// FleetKeyFile holds the keys that sidecars of one fleet share: one a line, the first one signs. It authenticates what they
	// keep in Redis, and seals their tokens. It is read again when it changes.
	FleetKeyFile string
	// MaxAgeChange is the maximum age of an unconfirmed fact in a question about an action that changes something.
	MaxAgeChange time.Duration
	// MaxAgeUse is the maximum age of an unconfirmed fact in any other question.
	MaxAgeUse time.Duration
	// Lease is how long facts stay confirmed without a heartbeat from the change feed.
	Lease time.Duration
	// GuardLifetime is how long a guard can be claimed, and ClaimLifetime how long a claim lasts, in which the change has to be
	// made.
	GuardLifetime, ClaimLifetime time.Duration
	// Bundle is the policy to serve instead of the built-in one: a directory of Rego and data files, a .tar.gz, or an address
	// on a server (https://) or in a registry (oci://). It is followed while serving.
	Bundle string
	// VerificationKey is a file of public keys (PEM), one of which must have signed the bundle.
	VerificationKey string
	// StateDir keeps the last good bundle and the highest release across restarts. A bundle from the network requires it.
	StateDir string
	// Decision is the path of the rule that decides.
	Decision string
	// ServeData lets clients of OPA's API read the policy's data as well as the results of its rules.
	ServeData bool
	// TokenFile holds the bearer tokens of clients that may ask: one a line, at least 16 characters each. This file and
	// ChangesTokenFile are read again when they change.
	TokenFile string
	// Routes is a route file. It says what a request means when a proxy asks about it at /adapters/forward-auth. It is read
	// again when it changes.
	Routes string
	// ExtAuthz lists the addresses at which to answer Envoy's ext_authz filter over gRPC, by the route file: HOST:PORT or
	// unix:/PATH. It may be empty. The rules of Addr apply.
	ExtAuthz AddrList
	// OperationsAddr lists the addresses for operations: metrics, the policy in force, profiles and probes. If there are any, the
	// others have no metrics. The rules of Addr apply.
	OperationsAddr AddrList
	// BaseURL is the address of the server in its metadata. Empty means http:// or https:// and the address it listens on.
	BaseURL string
	// Insecure lets everybody ask, from other machines too.
	Insecure bool
	// Check makes serve check settings, policies and directory, then exit.
	Check bool
	// LogFormat is text or json.
	LogFormat string
	// LogLevel is debug, info, warn or error.
	LogLevel string
	// Traces says where traces of requests go: none, or otlp (by OTLP over HTTP, as the OTEL_... variables say).
	Traces string
	// LogSampleRate N logs one of N requests that only asked about actions that change nothing, and were allowed.
	LogSampleRate int
	// Evaluator of policies: compiled or interpreted.
	Evaluator string
	// EvaluationTimeout limits each evaluation of the policy.
	EvaluationTimeout time.Duration
	// ReadHeaderTimeout limits how long a client may take to send the header of a request.
	ReadHeaderTimeout time.Duration
	// ReadTimeout limits how long a client may take to send a whole request.
	ReadTimeout time.Duration
	// RequestTimeout limits answering a request once it has been read, all questions of a batch together.
	RequestTimeout time.Duration
	// ProxyTimeout limits answering a proxy at /adapters/forward-auth.
	ProxyTimeout time.Duration
	// IdleTimeout is how long a connection without requests is kept.
	IdleTimeout time.Duration
	// ShutdownDelay is how long the server goes on answering after it has been told to stop, while /ready fails: as long as
	// load balancers take to notice. See StopDelay.
	ShutdownDelay time.Duration
	// ShutdownTimeout limits stopping after that. Requests in flight get most of it to finish.
	ShutdownTimeout time.Duration
	// MaxRequests limits how many single questions are answered at a time.
	MaxRequests int
	// MaxBatches limits how many batches, searches and large questions are answered at a time; 0 means twice the number of
	// processors, at least 8.
	MaxBatches int
	// MaxConnections limits the client connections; 0 means as many as the limit of open files allows, at most 8192.
	MaxConnections int

	// DecisionLog is the key decision_log of the YAML file.
	DecisionLog DecisionLog
	// Membership is the key membership of the YAML file.
	Membership Membership
	// PolicyBundle is the key policy.bundle of the YAML file: the bundle settings that are too many for flags. It is nil if
	// the key is absent or invalid.
	PolicyBundle *follow.Settings

	// Callers is the key callers of the YAML file, JWT the key jwt, which is nil if it is absent.
	Callers []Caller
	JWT     *JWT

	callersInvalid bool // an entry of the key callers could not be read

	policyInvalid bool // the key policy is present but could not be read

	// spellings maps the name of each setting that was given to how the operator spelled it, for error messages.
	spellings map[string]string
}

// The values of [Settings.Traces].
const (
	TracesNone = "none"
	TracesOTLP = "otlp"
)

// DefaultDecision is the path of the rule that decides in the built-in policy.
const DefaultDecision = "authz/decision"

// Default returns the default settings.
func Default() *Settings {
	return &Settings{
		Addr:              AddrList{"127.0.0.1:8181"},
		SocketMode:        0o660,
		MaxAgeChange:      5 * time.Second,
		MaxAgeUse:         time.Minute,
		Lease:             time.Second,
		GuardLifetime:     5 * time.Minute,
		ClaimLifetime:     10 * time.Second,
		Decision:          DefaultDecision,
		LogFormat:         "text",
		LogLevel:          "info",
		LogSampleRate:     1,
		Traces:            TracesNone,
		Evaluator:         "compiled",
		EvaluationTimeout: time.Second,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		RequestTimeout:    10 * time.Second,
		ProxyTimeout:      900 * time.Millisecond,
		IdleTimeout:       2 * time.Minute,
		ShutdownDelay:     5 * time.Second,
		ShutdownTimeout:   20 * time.Second,
		MaxRequests:       1024,
		DecisionLog:       defaultDecisionLog(),
		Membership:        defaultMembership(),
		spellings:         map[string]string{},

		TLSClientCertificates: CertificatesRequired,
	}
}

// table lists the settings once for all layers. The names of flags, variables and keys follow from it, and every value is
// parsed through it.
func (s *Settings) table() *pflag.FlagSet {
	t := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	t.SortFlags = false
	t.Var(&s.Addr, "addr", "listen on `ADDR`, HOST:PORT, unix:/PATH or systemd:NAME (repeatable)")
	t.Var(&s.SocketMode, "socket-mode", "octal `MODE` of Unix sockets: who may write may connect")
	t.StringVar(&s.TLSCertFile, "tls-cert-file", s.TLSCertFile, "serve TLS with the certificate in `FILE` (PEM)")
	t.StringVar(&s.TLSKeyFile, "tls-key-file", s.TLSKeyFile, "`FILE` with the key of the certificate (PEM)")
	t.StringVar(&s.TLSClientCAFile, "tls-client-ca-file", s.TLSClientCAFile, "`FILE` with the authorities of client certificates (PEM)")
	t.StringVar(&s.TLSClientCertificates, "tls-client-certificates", s.TLSClientCertificates, "whether clients need a certificate: optional or required")
	t.StringVar(&s.Directory, "directory", s.Directory, "read locations, users and assignments from `FILE|URL`: YAML, JSON, https:// or postgres://")
	t.StringVar(&s.Redis, "redis", s.Redis, "`URL` of the Redis through which sidecars share facts and announce changes")
	t.StringVar(&s.ChangesTokenFile, "changes-token-file", s.ChangesTokenFile, "`FILE` with the bearer tokens for announcing directory changes")
	t.StringVar(&s.FleetKeyFile, "fleet-key-file", s.FleetKeyFile, "`FILE` with the keys of all sidecars, which authenticate what they keep in Redis, and their tokens")
	t.DurationVar(&s.MaxAgeChange, "max-age-change", s.MaxAgeChange, "maximum age of unconfirmed facts for an action that changes something")
	t.DurationVar(&s.MaxAgeUse, "max-age-use", s.MaxAgeUse, "maximum age of unconfirmed facts for any other action")
	t.DurationVar(&s.Lease, "lease", s.Lease, "how long facts stay confirmed without a heartbeat of the change feed")
	t.DurationVar(&s.GuardLifetime, "guard-lifetime", s.GuardLifetime, "how long the guard of an allowed change can be claimed, at most 1h")
	t.DurationVar(&s.ClaimLifetime, "claim-lifetime", s.ClaimLifetime, "how long a claim lasts, in which the change has to be made, from 1s to 10m")
	t.StringVar(&s.Bundle, "bundle", s.Bundle, "serve the policy at `PATH|URL` instead of the built-in one")
	t.StringVar(&s.VerificationKey, "verification-key", s.VerificationKey, "`FILE` of public keys, one of which must have signed the bundle")
	t.StringVar(&s.StateDir, "state-dir", s.StateDir, "`DIR` for the last good bundle and the highest release")
	t.StringVar(&s.Decision, "decision", s.Decision, "`PATH` of the rule that decides")
	t.BoolVar(&s.ServeData, "serve-data", s.ServeData, "let clients of OPA's API read the policy's data too")
	t.StringVar(&s.TokenFile, "token-file", s.TokenFile, "`FILE` with the bearer tokens, one of which clients must send")
	t.StringVar(&s.Routes, "routes", s.Routes, "answer proxies at /adapters/forward-auth by the route `FILE`")
	t.Var(&s.ExtAuthz, "ext-authz", "answer Envoy's ext_authz over gRPC on `ADDR`, HOST:PORT or unix:/PATH, by --routes (repeatable)")
	t.Var(&s.OperationsAddr, "operations-addr", "serve metrics, profiles and probes on `ADDR`, and metrics nowhere else (repeatable)")
	t.StringVar(&s.DecisionLog.Dir, "decision-log", s.DecisionLog.Dir, "record decisions in `DIR`")
	t.StringVar(&s.DecisionLog.Durability, "decision-log-durability", s.DecisionLog.Durability, "`WHEN` records are on disk: buffered, sync (before the answer leaves) or off")
	t.StringVar(&s.BaseURL, "base-url", s.BaseURL, "`URL` of the server in its metadata (default http(s)://ADDR, or http://localhost)")
	t.BoolVar(&s.Insecure, "insecure", s.Insecure, "let everybody ask, from other machines too")
	t.BoolVar(&s.Check, "check", s.Check, "check settings, policies and directory, then exit")
	t.StringVar(&s.LogFormat, "log-format", s.LogFormat, "`FORMAT` of log lines: text or json")
	t.StringVar(&s.LogLevel, "log-level", s.LogLevel, "lowest `LEVEL` to log: debug, info, warn or error")
	t.StringVar(&s.Traces, "traces", s.Traces, "export traces of requests: none, or `otlp`, by the variables OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER ...")
	t.IntVar(&s.LogSampleRate, "log-sample-rate", s.LogSampleRate, "log one of `N` allowed questions that change nothing; denials, errors and changes are always logged")
	t.StringVar(&s.Evaluator, "evaluator", s.Evaluator, "`EVALUATOR` of policies: compiled, or interpreted by OPA, which is slower")
	t.DurationVar(&s.EvaluationTimeout, "evaluation-timeout", s.EvaluationTimeout, "limit for each evaluation of the policy")
	t.DurationVar(&s.ReadHeaderTimeout, "read-header-timeout", s.ReadHeaderTimeout, "limit for reading the header of a request")
	t.DurationVar(&s.ReadTimeout, "read-timeout", s.ReadTimeout, "limit for reading a whole request")
	t.DurationVar(&s.RequestTimeout, "request-timeout", s.RequestTimeout, "limit for answering a request after it has been read")
	t.DurationVar(&s.ProxyTimeout, "proxy-timeout", s.ProxyTimeout, "limit for answering a proxy that waits for 1 s, at /adapters/forward-auth")
	t.DurationVar(&s.IdleTimeout, "idle-timeout", s.IdleTimeout, "how long to keep a connection without requests")
	t.DurationVar(&s.ShutdownDelay, "shutdown-delay", s.ShutdownDelay, "how long to go on answering while /ready fails, before stopping (0s by default if only this machine can reach ADDR)")
	t.DurationVar(&s.ShutdownTimeout, "shutdown-timeout", s.ShutdownTimeout, "limit for stopping after that, requests in flight included")
	t.IntVar(&s.MaxRequests, "max-requests", s.MaxRequests, "maximum number of single questions answered at a time")
	t.IntVar(&s.MaxBatches, "max-batches", s.MaxBatches, "the same for batches and searches; 0 sets it by processors")
	t.IntVar(&s.MaxConnections, "max-connections", s.MaxConnections, "maximum number of client connections; 0 sets it by open files")
	return t
}

// StopDelay returns how long to go on answering after having been told to stop. It is ShutdownDelay if that was given.
// Otherwise it is 0 if only this machine can reach the server: what asks there is no load balancer, but an application or
// a proxy that has no other server, and only a restart would take longer. An address for operations counts, because /ready
// is there too: who follows it may send questions by way of an application. The default elsewhere is what load balancers
// need: Kubernetes a second or two, and a check every two seconds two failures; together with ShutdownTimeout it is
// shorter than the 30 s after which Kubernetes kills.
func (s *Settings) StopDelay() time.Duration {
	if s.IsSet("shutdown-delay") {
		return s.ShutdownDelay
	}
	for _, addr := range slices.Concat(s.Addr, s.ExtAuthz, s.OperationsAddr).Parsed() {
		if !addr.isLocal() {
			return s.ShutdownDelay
		}
	}
	return 0
}

// CloseTimeout is the part of ShutdownTimeout reserved for each of the last four steps: closing sources, the decision log with
// the traces, and the log, and reporting why the process ends.
func (s *Settings) CloseTimeout() time.Duration { return min(s.ShutdownTimeout/8, time.Second) }

const envPrefix = "WARDKEEPER_"

// ServerVariable names the server that `wardkeeper ask` asks. It is not a setting of serve.
const ServerVariable = envPrefix + "SERVER"

// Variable returns the name of the environment variable for a flag.
func Variable(flag string) string { return envPrefix + strings.ToUpper(yamlKey(flag)) }

func yamlKey(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// Spelling returns a setting, named by its flag, as the operator spelled it.
func (s *Settings) Spelling(flag string) string {
	if spelling, ok := s.spellings[flag]; ok {
		return spelling
	}
	return "--" + flag
}

// IsSet reports whether a setting was given in any layer. Settings of the membership key are named membership.NAME.
func (s *Settings) IsSet(name string) bool {
	_, ok := s.spellings[name]
	return ok
}
