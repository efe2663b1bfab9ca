// Package terminal writes texts for people: tables ([Table]), counts ([Count]) and the progress of long tasks ([Progress]).
// Texts of other origin pass through [Printable], so that none can steer a terminal.
package terminal
