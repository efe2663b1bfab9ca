package follow

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// service is a bundle server or a registry, as configured.
type service struct {
	config   json.RawMessage // an entry of OPA's `services`
	resource string
	oci      bool
	url      string
	logger   *slog.Logger
}

// String names the bundle without possible secrets.
func (s *service) String() string {
	if s.oci {
		return "oci://" + s.resource
	}
	resource, query, _ := strings.Cut(s.resource, "?")
	name := strings.TrimRight(s.url, "/") + "/" + strings.Trim(resource, "/")
	if query != "" { // the digest distinguishes bundles with the same path
		name += "?" + strings.TrimPrefix(digest([]byte(query)), "sha256:")[:8]
	}
	return name
}

// Polling says how often a server is asked.
type Polling struct {
	Min, Max time.Duration // bounds of the random pause between requests; after failures it starts shorter
	LongPoll time.Duration // how long a server may hold a request; 0 disables long polling
	Timeout  time.Duration // of a request, in addition to LongPoll
}

func (p Polling) pause() interval { return interval{p.Min, p.longest()} }

// longest is the longest pause. It leaves a tenth for chance even if Min and Max are the same.
func (p Polling) longest() time.Duration { return max(p.Max, p.Min+p.Min/10) }

// confirmInterval is the longest time between two answers of a server that has nothing new.
func (p Polling) confirmInterval() time.Duration { return p.longest() + p.LongPoll + p.Timeout }

func (s Settings) polling() (Polling, error) {
	p := Polling{Min: time.Minute, Max: 2 * time.Minute, Timeout: time.Minute}
	set := func(d *time.Duration, seconds *int64) error {
		switch {
		case seconds == nil:
			return nil
		case *seconds < 1 || *seconds > 7*24*3600:
			return fmt.Errorf("polling: %d seconds is not between 1 second and a week", *seconds)
		}
		*d = time.Duration(*seconds) * time.Second
		return nil
	}
	err := errors.Join(set(&p.Min, s.Polling.MinDelaySeconds), set(&p.Max, s.Polling.MaxDelaySeconds), set(&p.LongPoll, s.Polling.LongPollingTimeoutSeconds))
	if s.Polling.MaxDelaySeconds == nil {
		p.Max = max(p.Max, p.Min)
	} else if s.Polling.MinDelaySeconds == nil {
		p.Min = min(p.Min, p.Max)
	}
	if err == nil && p.Max < p.Min {
		err = errors.New("polling: max_delay_seconds is below min_delay_seconds")
	}
	return p, err
}
