package main

import (
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// settings is the whole configuration of `wardkeeper serve`, and its comments are the reference. A setting has one
// name in three spellings: the flag --token-file is WARDKEEPER_TOKEN_FILE in the environment and token_file in the
// YAML file. The file goes over the defaults, the environment over the file, flags over the environment.
type settings struct {
	// Addr is HOST:PORT. Anywhere but on the loopback interface, a token file or Insecure is needed.
	Addr string
	// Directory is where facts come from: a file with locations, users and assignments, the address of an application that
	// has them (https://), or a database (postgres://). Only policies that judge without facts may go without.
	Directory string
	// Redis is the server where sidecars share facts, and tell each other of changes.
	Redis string
	// ChangesTokenFile holds the bearer tokens of whoever announces changes of the directory. Whether every change is announced
	// is for membership.announced to say.
	ChangesTokenFile string
	// MaxAgeChange is how old facts may be that nothing vouches for, in a question about changing something.
	MaxAgeChange time.Duration
	// MaxAgeUse is how old they may be in a question about using something.
	MaxAgeUse time.Duration
	// Lease is how long nothing may be heard of changes before nothing is vouched for.
	Lease time.Duration
	// Bundle is a policy to serve instead of the built-in one: a directory of Rego and data files, a .tar.gz, or the
	// address of one on a server (https://) or in a registry (oci://). It is followed while serving.
	Bundle string
	// VerificationKey is a file of public keys (PEM): a bundle has to be signed by one of them.
	VerificationKey string
	// StateDir keeps the last good bundle and the highest release, across restarts. A bundle from the network needs it.
	StateDir string
	// Decision is the path of the rule that decides.
	Decision string
	// ServeData lets clients of OPA's API read the policy's data, and not only the results of its rules.
	ServeData bool
	// TokenFile holds the bearer tokens of which callers have to send one: a line for each, at least 16 characters. Both files
	// are read again when they change.
	TokenFile string
	// BaseURL is where callers reach the server, as its metadata tell them. Empty means http:// and the address.
	BaseURL string
	// Insecure lets the server listen for the network without a token.
	Insecure bool
	// Check makes serve check settings, policies and directory, and stop there.
	Check bool
	// LogFormat is text or json.
	LogFormat string
	// LogLevel is debug, info, warn or error.
	LogLevel string
	// EvaluationTimeout bounds each evaluation of the policy; what takes longer is no decision.
	EvaluationTimeout time.Duration
	// ReadHeaderTimeout bounds how long a caller may take to send the header of a request.
	ReadHeaderTimeout time.Duration
	// ReadTimeout bounds how long a caller may take to send a whole request.
	ReadTimeout time.Duration
	// RequestTimeout bounds how long answering may take once a request has been read, all questions of a batch together.
	RequestTimeout time.Duration
	// IdleTimeout is how long a connection without requests is kept.
	IdleTimeout time.Duration
	// ShutdownTimeout is how long the server may take to stop once it is told to: requests in flight may finish within most of
	// it.
	ShutdownTimeout time.Duration
	// MaxRequests is how many single questions are worked on at a time.
	MaxRequests int
	// MaxBatches is how many batches, searches and large questions are; 0 stands for twice the processors, and at least 8.
	MaxBatches int
	// MaxConnections is how many connections there may be; 0 stands for what the limit of open files leaves room for.
	MaxConnections int

	// policyBundle is policy.bundle of the YAML file, as JSON: what of a bundle is too much for a flag. nil where absent.
	policyBundle []byte
	policyFaulty bool // it was there, and could not be read

	membership membershipSettings // membership of the YAML file

	// origins is the spelling by which a setting was given, by flag name, so that a fault names what to change.
	origins map[string]string
}

func defaultSettings() *settings {
	return &settings{
		Addr:              "127.0.0.1:8181",
		MaxAgeChange:      5 * time.Second,
		MaxAgeUse:         time.Minute,
		Lease:             time.Second,
		Decision:          defaultDecision,
		LogFormat:         "text",
		LogLevel:          "info",
		EvaluationTimeout: time.Second,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		RequestTimeout:    10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ShutdownTimeout:   20 * time.Second,
		MaxRequests:       1024,
		membership:        defaultMembership(),
		origins:           map[string]string{},
	}
}

const defaultDecision = "authz/decision"

// table is the one table of settings: flag, variable and key are spelt from its names, and every layer is set through it.
func (s *settings) table() *pflag.FlagSet {
	t := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	t.SortFlags = false
	t.StringVar(&s.Addr, "addr", s.Addr, "where to listen, `HOST:PORT`")
	t.StringVar(&s.Directory, "directory", s.Directory, "`FILE|URL` with locations, users and assignments: a YAML or JSON file, https:// or postgres://")
	t.StringVar(&s.Redis, "redis", s.Redis, "`URL` of the Redis where sidecars share facts and hear of changes")
	t.StringVar(&s.ChangesTokenFile, "changes-token-file", s.ChangesTokenFile, "`FILE` with the bearer tokens for announcing changes of the directory")
	t.DurationVar(&s.MaxAgeChange, "max-age-change", s.MaxAgeChange, "oldest facts, not vouched for, by which a change is allowed")
	t.DurationVar(&s.MaxAgeUse, "max-age-use", s.MaxAgeUse, "oldest facts, not vouched for, by which a use is allowed")
	t.DurationVar(&s.Lease, "lease", s.Lease, "how long facts are vouched for without news of changes")
	t.StringVar(&s.Bundle, "bundle", s.Bundle, "serve the policy at `PATH|URL` instead of the built-in one")
	t.StringVar(&s.VerificationKey, "verification-key", s.VerificationKey, "`FILE` of public keys, one of which must have signed the bundle")
	t.StringVar(&s.StateDir, "state-dir", s.StateDir, "`DIR` for the last good bundle and the highest release")
	t.StringVar(&s.Decision, "decision", s.Decision, "`PATH` of the rule that decides")
	t.BoolVar(&s.ServeData, "serve-data", s.ServeData, "let clients of OPA's API read the policy's data too")
	t.StringVar(&s.TokenFile, "token-file", s.TokenFile, "`FILE` with the bearer tokens of which callers have to send one")
	t.StringVar(&s.BaseURL, "base-url", s.BaseURL, "`URL` where callers reach the server (default http://ADDR)")
	t.BoolVar(&s.Insecure, "insecure", s.Insecure, "listen for the network without a token")
	t.BoolVar(&s.Check, "check", s.Check, "check settings, policies and directory, and stop there")
	t.StringVar(&s.LogFormat, "log-format", s.LogFormat, "`FORMAT` of log lines: text or json")
	t.StringVar(&s.LogLevel, "log-level", s.LogLevel, "least `LEVEL` to log: debug, info, warn or error")
	t.DurationVar(&s.EvaluationTimeout, "evaluation-timeout", s.EvaluationTimeout, "limit of each evaluation")
	t.DurationVar(&s.ReadHeaderTimeout, "read-header-timeout", s.ReadHeaderTimeout, "limit for reading a request's header")
	t.DurationVar(&s.ReadTimeout, "read-timeout", s.ReadTimeout, "limit for reading a whole request")
	t.DurationVar(&s.RequestTimeout, "request-timeout", s.RequestTimeout, "limit for answering a request, once read")
	t.DurationVar(&s.IdleTimeout, "idle-timeout", s.IdleTimeout, "how long to keep a connection without requests")
	t.DurationVar(&s.ShutdownTimeout, "shutdown-timeout", s.ShutdownTimeout, "limit of stopping, requests in flight included")
	t.IntVar(&s.MaxRequests, "max-requests", s.MaxRequests, "how many single questions are worked on at a time")
	t.IntVar(&s.MaxBatches, "max-batches", s.MaxBatches, "how many batches and searches are, 0 for a number by processors")
	t.IntVar(&s.MaxConnections, "max-connections", s.MaxConnections, "how many connections there may be, 0 for what open files allow")
	return t
}

// closing is the part of ShutdownTimeout that is left for each of closing what was opened, writing the log, and saying why.
func (s *settings) closing() time.Duration { return min(s.ShutdownTimeout/8, time.Second) }

const envPrefix = "WARDKEEPER_"

func variable(flag string) string { return envPrefix + strings.ToUpper(yamlKey(flag)) }

func yamlKey(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// origin names a setting as the operator spelt it.
func (s *settings) origin(flag string) string {
	if o, ok := s.origins[flag]; ok {
		return o
	}
	return "--" + flag
}
