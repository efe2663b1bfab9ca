package config

import "runtime"

// maxDefaultConnections limits the default if the limit of open files allows more.
const maxDefaultConnections = 8192

// ConnectionLimit returns how many client connections to keep under a limit of open files. The rest of the limit is reserved
// for the log, files, and connections to the sources of facts. The result is less than MaxConnections if the limit of open
// files requires it.
func (s *Settings) ConnectionLimit(openFiles int) int {
	reserved := 32 + openFiles/16
	switch KindOf(s.Directory) {
	case PostgresDirectory:
		reserved += s.Membership.Postgres.MaxConnections + 1
	case HTTPDirectory:
		reserved += s.Membership.HTTP.MaxConnections
	}
	if s.Redis != "" {
		reserved += 10*runtime.GOMAXPROCS(0) + 8 // the pool of its client
	}
	available := max(openFiles-reserved, openFiles/2)
	if s.MaxConnections > 0 {
		return min(s.MaxConnections, available)
	}
	return min(maxDefaultConnections, available)
}
