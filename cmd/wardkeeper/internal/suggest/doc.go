// Package suggest finds the flag, command or setting that a misspelled word probably means. [DidYouMean] formats it for an
// error message.
package suggest
