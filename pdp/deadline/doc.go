// Package deadline has a context whose deadline costs no timer until somebody waits for it ([New]). It imports no other
// package of this module.
package deadline
