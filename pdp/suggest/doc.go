// Package suggest finds the flag, command, setting or member that a misspelled word probably means. [DidYouMean] formats it for an
// error message.
package suggest
