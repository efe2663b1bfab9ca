// Package terminal writes text for people: tables ([Table]), counts ([Count]) and the progress of long tasks ([Progress]). Text
// from elsewhere passes through [Printable], so that it cannot control the terminal.
package terminal
