// Package suggest finds what somebody probably meant by a misspelled word: a flag, a command or a setting. [DidYouMean]
// words it for an error message.
package suggest
