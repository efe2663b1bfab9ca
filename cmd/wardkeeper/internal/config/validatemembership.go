package config

import (
	"errors"
	"fmt"
	"time"
)

// The bounds of a lease. A shorter lease ends before the next heartbeat. A longer one confirms facts for too long after the
// last heartbeat.
const (
	minLease = 100 * time.Millisecond
	maxLease = time.Minute
)

// minMemory is the minimum size of the in-process cache.
const minMemory ByteSize = 1 << 20

// ValidateMembership returns every fault of the settings about membership facts, joined.
func (s *Settings) ValidateMembership() error {
	m := &s.Membership
	faults := s.validateDurations(membershipKey+".", m.table())
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	setting := func(name string) string { return s.Spelling(membershipKey + "." + name) }
	for _, count := range []struct {
		name string
		n    int
	}{{"http.max_connections", m.HTTP.MaxConnections}, {"postgres.max_connections", m.Postgres.MaxConnections}, {"redis.stream_length", m.Redis.StreamLength}} {
		if count.n < 1 {
			fault("%s is %d: it must be at least 1", setting(count.name), count.n)
		}
	}
	if s.Lease > maxLease || s.Lease > 0 && s.Lease < minLease {
		fault("%s is %s: use %s to %s", s.Spelling("lease"), s.Lease, minLease, maxLease)
	}
	if m.Memory < minMemory {
		fault("%s is %s: the in-process cache needs at least 1MiB", setting("memory"), &m.Memory)
	}
	if m.HTTP.Retries < 0 {
		fault("%s is negative: use 0 for no retries", setting("http.retries"))
	}
	if m.Announced == AnnouncedAll && s.Redis == "" {
		fault("%s is all but there is no Redis: without one a sidecar receives only announcements sent to itself; "+
			"set %s, or leave announced at some", setting("announced"), s.Spelling("redis"))
	}
	return errors.Join(append(faults, s.validateDirectory()...)...)
}

func (s *Settings) validateDirectory() (faults []error) {
	switch KindOf(s.Directory) {
	case UnknownDirectory:
		faults = append(faults, fmt.Errorf("%s is an address of an unsupported kind: use https:// or postgres://, or name a file", s.Spelling("directory")))
	case FileDirectory:
		for _, setting := range []struct{ flag, value string }{{"redis", s.Redis}, {"changes-token-file", s.ChangesTokenFile}} {
			if setting.value != "" {
				faults = append(faults, fmt.Errorf("%s requires a directory of https:// or postgres://: a directory file is read whole by each sidecar", s.Spelling(setting.flag)))
			}
		}
	}
	return faults
}
