// Package limits keeps the process within what the machine and the container grant it: it tunes the garbage collector
// ([TuneGC]) and finds the limit of open files ([OpenFiles]).
package limits
