package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
	"golang.org/x/net/http/httpguts"

	"github.com/wardkeeper/wardkeeper/pdp/decisionformat"
	"github.com/wardkeeper/wardkeeper/pdp/decisionsink"
)

// Sink is an entry of the list decision_log.sinks of the YAML file: where the log of decisions is sent to as well.
type Sink struct {
	Name   string
	Format string // of [decisionformat.All]
	// To is stdout, or the URL of a service. For the format otlp it may be empty: OpenTelemetry's variables then say it.
	To string
	// TokenFile is a bearer token, CAFile holds the service's authorities, CertFile and KeyFile are the client certificate.
	TokenFile, CAFile, CertFile, KeyFile string
	// Insecure allows http:// over a network.
	Insecure bool
	// Timeout limits a request, Delay is how long records are collected for, BatchSize after how much they are sent at once.
	Timeout, Delay time.Duration
	BatchSize      ByteSize

	// Header and Service come from OpenTelemetry's variables, for the format otlp.
	Header      map[string]string
	headerFault error // why Header is not what they say
	Service     string

	// Setting names the entry in messages.
	Setting string
}

// ToStdout is the value of [Sink.To] for standard output.
const ToStdout = "stdout"

const (
	sinksKey = "sinks"
	maxSinks = 8
)

func (s *Sink) table() *pflag.FlagSet {
	t := pflag.NewFlagSet(sinksKey, pflag.ContinueOnError)
	t.StringVar(&s.Name, "name", "", "")
	t.StringVar(&s.Format, "format", string(decisionformat.JSON), "")
	t.StringVar(&s.To, "to", "", "")
	t.StringVar(&s.TokenFile, "token_file", "", "")
	t.StringVar(&s.CAFile, "ca_file", "", "")
	t.StringVar(&s.CertFile, "cert_file", "", "")
	t.StringVar(&s.KeyFile, "key_file", "", "")
	t.BoolVar(&s.Insecure, "insecure", false, "")
	t.DurationVar(&s.Timeout, "timeout", 10*time.Second, "")
	t.DurationVar(&s.Delay, "delay", time.Second, "")
	s.BatchSize = 1 << 20
	t.Var(&s.BatchSize, "batch_size", "")
	return t
}

// decisionLog reads the key decision_log: its sinks, which are a list, and the rest.
func (l *loader) decisionLog(path string, value *yaml.Node) {
	rest := *value
	rest.Content = nil
	for i := 0; i+1 < len(value.Content); i += 2 {
		if key, member := value.Content[i], value.Content[i+1]; value.Kind == yaml.MappingNode && key.Value == sinksKey {
			l.sinks(path, member)
		} else {
			rest.Content = append(rest.Content, key, member)
		}
	}
	if value.Kind != yaml.MappingNode {
		rest.Content = value.Content
	}
	l.section(path, decisionLogKey, &rest, l.settings.DecisionLog.table(), nil)
}

func (l *loader) sinks(path string, value *yaml.Node) {
	if value.Tag == "!!null" {
		return
	}
	name := decisionLogKey + "." + sinksKey
	if value.Kind != yaml.SequenceNode {
		l.fault("%s:%d: %s must be a list, such as `- {name: stdout, to: stdout}`", path, value.Line, name)
		return
	}
	for i, node := range value.Content {
		s := Sink{Setting: fmt.Sprintf("%s:%d: %s[%d]", path, node.Line, name, i)}
		if l.members(path, s.Setting, node, s.table()) {
			l.settings.DecisionLog.Sinks = append(l.settings.DecisionLog.Sinks, s)
		}
	}
}

// openTelemetry completes the sinks of the format otlp by OpenTelemetry's standard variables.
func (d *DecisionLog) openTelemetry(variables map[string]string) {
	first := func(names ...string) string {
		for _, name := range names {
			if value := variables["OTEL_"+name]; value != "" {
				return value
			}
		}
		return ""
	}
	for i := range d.Sinks {
		s := &d.Sinks[i]
		if s.Format != string(decisionformat.OTLP) {
			continue
		}
		s.Service = first("SERVICE_NAME")
		if s.To != "" {
			continue // those variables are about another service
		}
		s.To = first("EXPORTER_OTLP_LOGS_ENDPOINT")
		if base := first("EXPORTER_OTLP_ENDPOINT"); s.To == "" && base != "" {
			s.To = strings.TrimRight(base, "/") + "/v1/logs"
		}
		if s.CAFile == "" {
			s.CAFile = first("EXPORTER_OTLP_LOGS_CERTIFICATE", "EXPORTER_OTLP_CERTIFICATE")
		}
		s.Header, s.headerFault = parseHeaders(first("EXPORTER_OTLP_LOGS_HEADERS", "EXPORTER_OTLP_HEADERS"))
	}
}

// parseHeaders parses header fields as OpenTelemetry's variables have them: NAME=VALUE, separated by commas, with percent-encoded values.
// Its error does not quote them, because they may be secrets.
func parseHeaders(text string) (header map[string]string, err error) {
	n := 0
	for pair := range strings.SplitSeq(text, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		n++
		name, value, found := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		value, fault := url.PathUnescape(strings.TrimSpace(value))
		if !found || fault != nil || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("field %d is not NAME=VALUE with a percent-encoded value", n)
		}
		if header == nil {
			header = map[string]string{}
		}
		header[name] = value
	}
	return header, nil
}

// sinkName matches the names of sinks, which are labels of metrics and parts of the names of files.
var sinkName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

func (s *Settings) validateSinks() error {
	var faults []error
	all := s.DecisionLog.Sinks
	if len(all) > maxSinks {
		faults = append(faults, fmt.Errorf("%s.%s has more than %d entries", decisionLogKey, sinksKey, maxSinks))
	}
	if len(all) > 0 && s.DecisionLog.Dir == "" {
		faults = append(faults, fmt.Errorf("%s: sinks send what is in the log, but there is none: set --decision-log", all[0].Setting))
	}
	names, stdout := map[string]bool{}, false
	for _, sink := range all {
		own := sink.validate()
		if names[sink.Name] {
			own = append(own, errors.New("name is that of another sink: each needs its own, because its position is kept by it"))
		}
		if stdout && sink.To == ToStdout {
			own = append(own, errors.New("another sink writes to stdout: one can"))
		}
		names[sink.Name], stdout = true, stdout || sink.To == ToStdout
		for _, fault := range own {
			faults = append(faults, fmt.Errorf("%s: %w", sink.Setting, fault))
		}
	}
	return errors.Join(faults...)
}

// validate returns the faults of a sink by itself.
func (s *Sink) validate() (faults []error) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if !sinkName.MatchString(s.Name) {
		fault("name is %q: use up to 32 lower-case letters, digits, hyphens and underscores", s.Name)
	}
	var formats []string
	for _, f := range decisionformat.All() {
		formats = append(formats, string(f))
	}
	if !slices.Contains(formats, s.Format) {
		fault("format is %q: choose from %s", s.Format, strings.Join(formats, ", "))
	}
	if err := s.validateTo(); err != nil {
		faults = append(faults, err)
	}
	if s.headerFault != nil {
		fault("OTEL_EXPORTER_OTLP_LOGS_HEADERS or OTEL_EXPORTER_OTLP_HEADERS: %w", s.headerFault)
	}
	if s.Timeout <= 0 || s.Delay <= 0 {
		fault("timeout and delay must be positive")
	}
	if s.BatchSize < 4<<10 || s.BatchSize > 64<<20 {
		fault("batch_size is %s: use 4KiB to 64MiB", &s.BatchSize)
	}
	return faults
}

func (s *Sink) validateTo() error {
	switch {
	case s.To == ToStdout && !decisionformat.Format(s.Format).Lines():
		return fmt.Errorf("format %s is not text: name a service instead of stdout", s.Format)
	case s.To == ToStdout:
		return nil
	case s.To == "" && s.Format == string(decisionformat.OTLP):
		return errors.New("to is missing: name the service (https://HOST:4318/v1/logs), or set OTEL_EXPORTER_OTLP_ENDPOINT")
	case s.To == "":
		return errors.New("to is missing: stdout, or the address of a service")
	}
	if _, err := decisionsink.ParseURL(s.To, s.Insecure); err != nil {
		return fmt.Errorf("to: %w", err)
	}
	return nil
}
