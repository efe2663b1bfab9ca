// Package tracing reads the W3C Trace Context of requests.
package tracing
