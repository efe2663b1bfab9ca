package main

import (
	"log/slog"
	"runtime"
)

// mostConnections is the default where the limit of open files leaves room for more.
const mostConnections = 8192

// connections is how many connections callers may have. What the process itself opens keeps its descriptors: the log, files
// of policy and directory, and connections to where facts come from.
func (s *settings) connections(files int, logger *slog.Logger) int {
	own := 32 + files/16
	switch schemeOf(s.Directory) {
	case postgresScheme:
		own += s.membership.Postgres.MaxConnections + 1
	case httpScheme:
		own += s.membership.HTTP.MaxConnections
	}
	if s.Redis != "" {
		own += 10*runtime.GOMAXPROCS(0) + 8 // its client's pool
	}
	room := max(files-own, files/2)
	if s.MaxConnections > room {
		logger.Warn("The limit of open files leaves room for fewer connections than there may be: raise it (ulimit -n).",
			"max_connections", s.MaxConnections, "room", room, "open_files", files)
	}
	if s.MaxConnections > 0 {
		return min(s.MaxConnections, room)
	}
	return min(mostConnections, room)
}
