// Package atomicfile replaces files so that a reader, or a process that starts after a crash, finds the old content or
// the new one and never a part. It locks nothing: concurrent writers each replace the whole file. Start at [Write].
package atomicfile
