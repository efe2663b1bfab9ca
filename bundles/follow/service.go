package follow

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"
)

// Service is a server of bundles, or a registry.
type Service struct {
	Config   json.RawMessage
	Resource string
	oci      bool
	url      string
	logger   *slog.Logger
}

// String names the bundle without whatever may be secret.
func (s *Service) String() string {
	if s.oci {
		return "oci://" + s.Resource
	}
	resource, query, _ := strings.Cut(s.Resource, "?")
	name := strings.TrimRight(s.url, "/") + "/" + strings.Trim(resource, "/")
	if query != "" { // tells two bundles of one path apart
		name += "?" + strings.TrimPrefix(digest([]byte(query)), "sha256:")[:8]
	}
	return name
}

// Polling is how often a server is asked.
type Polling struct {
	Min, Max time.Duration // between two requests; after failures less at first, and at most Max
	Long     time.Duration // how long a server may hold a request; 0 means that it shall not
	Timeout  time.Duration // of a whole request, beyond that
}

func (p Polling) pause() time.Duration {
	return p.Min + time.Duration(rand.Int64N(int64(p.Max-p.Min)+1))
}

// confirms is how long it may take from one answer of a server that has nothing new to the next.
func (p Polling) confirms() time.Duration { return p.Max + p.Long + p.Timeout }

func (o Settings) polling() (Polling, error) {
	p := Polling{Min: time.Minute, Max: 2 * time.Minute, Timeout: time.Minute}
	set := func(d *time.Duration, seconds *int64) error {
		switch {
		case seconds == nil:
			return nil
		case *seconds < 1 || *seconds > 7*24*3600:
			return fmt.Errorf("polling: %d seconds are not between 1 and a week", *seconds)
		}
		*d = time.Duration(*seconds) * time.Second
		return nil
	}
	err := errors.Join(set(&p.Min, o.Polling.MinDelaySeconds), set(&p.Max, o.Polling.MaxDelaySeconds), set(&p.Long, o.Polling.LongPollingTimeoutSeconds))
	if o.Polling.MaxDelaySeconds == nil {
		p.Max = max(p.Max, p.Min)
	} else if o.Polling.MinDelaySeconds == nil {
		p.Min = min(p.Min, p.Max)
	}
	if err == nil && p.Max < p.Min {
		err = errors.New("polling: max_delay_seconds is below min_delay_seconds")
	}
	return p, err
}
