// Package attack looks for sequences of allowed changes that no security team wants: somebody reaches power that they were denied,
// leaves a user where nobody can help, or takes from an organization what only its administrators can do. The policy decides each
// change, and [Apply] says what an application then does to the directory. Start reading at [Run].
package attack
