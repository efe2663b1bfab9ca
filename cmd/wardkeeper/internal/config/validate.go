package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/wardkeeper/wardkeeper/pdp/suggest"
)

// maxNumber is the highest value of a setting that is a number.
const maxNumber = 1_000_000

// Validate returns every fault of the settings, joined. It opens no file and no connection.
func (s *Settings) Validate() error {
	faults := append(append(append(s.validateAddrs(), s.validateTLS()...), s.validateCallers()...),
		s.validateBaseURL(),
		s.ValidateMembership(),
		s.validateChoice("evaluator", s.Evaluator, "compiled", "interpreted"),
		s.validateChoice("log-format", s.LogFormat, "text", "json"),
		s.validateChoice("traces", s.Traces, TracesNone, TracesOTLP),
		s.validateChoice("log-level", s.LogLevel, "debug", "info", "warn", "error"),
		s.validateDecision(),
		s.validateDecisionLog(),
	)
	for _, limit := range []struct {
		flag      string
		n, lowest int
	}{{"log-sample-rate", s.LogSampleRate, 1}, {"max-requests", s.MaxRequests, 1}, {"max-batches", s.MaxBatches, 0}, {"max-connections", s.MaxConnections, 0}} {
		if limit.n < limit.lowest || limit.n > maxNumber {
			faults = append(faults, fmt.Errorf("%s is %d: use a number from %d to %d", s.Spelling(limit.flag), limit.n, limit.lowest, maxNumber))
		}
	}
	for _, limit := range []struct {
		flag               string
		d, lowest, highest time.Duration
	}{{"guard-lifetime", s.GuardLifetime, time.Second, time.Hour}, {"claim-lifetime", s.ClaimLifetime, time.Second, 10 * time.Minute}} {
		if limit.d > 0 && limit.d < limit.lowest || limit.d > limit.highest {
			faults = append(faults, fmt.Errorf("%s is %s: use a duration from %s to %s", s.Spelling(limit.flag), limit.d, limit.lowest, limit.highest))
		}
	}
	return errors.Join(append(faults, s.validateDurations("", s.table())...)...)
}

// validateDurations returns a fault for each duration of a table that is not positive. A delay may be 0.
func (s *Settings) validateDurations(prefix string, table *pflag.FlagSet) (faults []error) {
	table.VisitAll(func(f *pflag.Flag) {
		if f.Value.Type() != "duration" {
			return
		}
		d, err := time.ParseDuration(f.Value.String())
		switch {
		case err != nil || d > 0:
		case f.Name != "shutdown-delay":
			faults = append(faults, fmt.Errorf("%s is %s: it must be positive", s.Spelling(prefix+f.Name), d))
		case d < 0:
			faults = append(faults, fmt.Errorf("%s is %s: it must not be negative", s.Spelling(prefix+f.Name), d))
		}
	})
	return faults
}

func (s *Settings) validateBaseURL() error {
	if s.BaseURL == "" {
		return nil
	}
	if _, err := ParseBaseURL(s.BaseURL); err != nil {
		return fmt.Errorf("%s: %w", s.Spelling("base-url"), err)
	}
	return nil
}

var errBaseURL = errors.New("use an http or https URL without user, query or fragment, such as https://pdp.example.org")

// ParseBaseURL parses the address of a server. Its error does not quote the address, which may contain a password.
func ParseBaseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" ||
		u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, errBaseURL
	}
	return u, nil
}

func (s *Settings) validateDecision() error {
	if s.Decision == "" {
		return fmt.Errorf("%s is empty: name the rule that decides, such as %s", s.Spelling("decision"), DefaultDecision)
	}
	if rest, ok := strings.CutPrefix(s.Decision, "data."); ok {
		return fmt.Errorf("%s is %q: write the path below data, with slashes (%s)",
			s.Spelling("decision"), s.Decision, strings.ReplaceAll(rest, ".", "/"))
	}
	return nil
}

func (s *Settings) validateChoice(flag, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%s is %q: %schoose from %s",
		s.Spelling(flag), value, suggest.DidYouMean("", value, allowed), strings.Join(allowed, ", "))
}

// Level returns the log level, or info if LogLevel is not valid.
func (s *Settings) Level() slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(s.LogLevel)); err != nil {
		return slog.LevelInfo
	}
	return l
}
