// Package directory is the source of membership facts for those who have them in a file: it reads a whole directory of
// locations and users from YAML or JSON, watches the file, and replaces what it serves at once by each new content that has no
// fault. It does not say what a valid record is: package record does. Start with [OpenFile] in file.go, or with [Parse] for a
// directory that does not change.
package directory
