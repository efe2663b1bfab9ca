// Package directory is the source of membership facts that are kept in a file. It reads a whole directory of locations and users
// from YAML or JSON, watches the file, and serves each new content as soon as it has been read without faults. Package record
// defines what a valid record is. Start with [OpenFile] in file.go, or with [Parse] for a directory that does not change.
package directory
