package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// maxAtATime bounds the settings that bound what there may be at a time.
const maxAtATime = 1_000_000

// validate finds every fault of the settings themselves. It touches no file.
func (s *settings) validate() error {
	faults := []error{
		s.validateAddr(),
		s.validateBaseURL(),
		s.validateMembership(),
		s.oneOf("log-format", s.LogFormat, "text", "json"),
		s.oneOf("log-level", s.LogLevel, "debug", "info", "warn", "error"),
	}
	if s.Decision == "" {
		faults = append(faults, fmt.Errorf(
			"%s is empty: name the rule that decides, such as %s", s.origin("decision"), defaultDecision))
	}
	if rest, ok := strings.CutPrefix(s.Decision, "data."); ok {
		faults = append(faults, fmt.Errorf("%s is %q: name the path below data, with slashes (%s)",
			s.origin("decision"), s.Decision, strings.ReplaceAll(rest, ".", "/")))
	}
	for _, bound := range []struct {
		flag     string
		n, least int
	}{{"max-requests", s.MaxRequests, 1}, {"max-batches", s.MaxBatches, 0}, {"max-connections", s.MaxConnections, 0}} {
		if bound.n < bound.least || bound.n > maxAtATime {
			faults = append(faults, fmt.Errorf("%s is %d: say a number from %d to %d", s.origin(bound.flag), bound.n, bound.least, maxAtATime))
		}
	}
	s.table().VisitAll(func(f *pflag.Flag) {
		if f.Value.Type() != "duration" {
			return
		}
		if d, err := time.ParseDuration(f.Value.String()); err == nil && d <= 0 {
			faults = append(faults, fmt.Errorf("%s is %s: it must be longer than nothing", s.origin(f.Name), d))
		}
	})
	return errors.Join(faults...)
}

func (s *settings) validateAddr() error {
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return fmt.Errorf("%s is %q: say HOST:PORT, such as 127.0.0.1:8181", s.origin("addr"), s.Addr)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%s is %q: the port must be a number up to 65535", s.origin("addr"), s.Addr)
	}
	if s.TokenFile == "" && !s.Insecure && !isLoopback(host) {
		return fmt.Errorf("%s is %q, which others can reach: name a --token-file, or say --insecure "+
			"to let everybody ask", s.origin("addr"), s.Addr)
	}
	return nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func (s *settings) validateBaseURL() error {
	if s.BaseURL == "" {
		return nil
	}
	if _, err := parseBaseURL(s.BaseURL); err != nil {
		return fmt.Errorf("%s: %w", s.origin("base-url"), err)
	}
	return nil
}

var errBaseURL = errors.New("say an http or https address without user, query or fragment, such as https://pdp.example.org")

func parseBaseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" ||
		u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, errBaseURL
	}
	return u, nil
}

func (s *settings) oneOf(flag, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%s is %q: %schoose from %s",
		s.origin(flag), value, didYouMean("", value, allowed), strings.Join(allowed, ", "))
}

// level is the validated log level.
func (s *settings) level() slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(s.LogLevel)); err != nil {
		return slog.LevelInfo
	}
	return l
}
