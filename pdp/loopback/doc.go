// Package loopback tells hosts that only this machine can reach, over which secrets may go without TLS.
package loopback
