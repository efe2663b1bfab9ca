// Package lifecycle runs an HTTP server until a signal stops it ([Serve]), tells systemd so, reloads on other signals, and bounds the time that
// the last steps of a process take.
package lifecycle
