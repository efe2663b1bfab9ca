// Package directory is a source of membership facts from a file. It reads a whole directory of locations and users from
// YAML or JSON, watches the file, and serves each new content as soon as it has been read without faults. Package record
// defines which records are valid. Start reading at [OpenFile] in file.go, or at [Parse] for a directory that does not
// change.
package directory
