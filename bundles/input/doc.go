// Package input holds what a policy decides about: the question and the facts, as a tree that becomes values of OPA only where a
// policy reads them whole. Start at [Object].
package input
