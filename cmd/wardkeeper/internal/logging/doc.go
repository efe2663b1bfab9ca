// Package logging makes the loggers of the binary. Every record is redacted ([Redact]): no password in a URL reaches a log.
// A server's logger ([NewAsync]) never blocks on the reader of its log; it drops lines instead and counts them.
package logging
