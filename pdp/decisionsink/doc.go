// Package decisionsink sends records of decisions to services and streams. A [Sink] follows a log of decisions, keeps its position
// beside the log, and sends each record at least once: a service that is slow or down delays no decision, and gets what it missed
// as long as the log keeps it. Start at [New].
package decisionsink
