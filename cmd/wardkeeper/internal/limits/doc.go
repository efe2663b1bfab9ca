// Package limits keeps the process within the limits of the machine and the container: it tunes the garbage collector
// ([TuneGC]) and finds the limit of open files ([OpenFiles]).
package limits
