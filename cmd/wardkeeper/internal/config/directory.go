package config

import (
	"net/url"
	"regexp"
	"strings"
)

// DirectoryKind is a kind of source of membership facts.
type DirectoryKind string

// The kinds of directory.
const (
	FileDirectory     DirectoryKind = "file"
	HTTPDirectory     DirectoryKind = "http"
	PostgresDirectory DirectoryKind = "postgres"
	UnknownDirectory  DirectoryKind = "unknown" // an address of any other kind
)

// KindOf returns the kind of source that a directory setting names, judging by its spelling alone.
func KindOf(directory string) DirectoryKind {
	scheme, _, ok := strings.Cut(directory, "://")
	switch {
	case ok && (scheme == "http" || scheme == "https"):
		return HTTPDirectory
	case ok && (scheme == "postgres" || scheme == "postgresql"):
		return PostgresDirectory
	case ok, addressLike.MatchString(directory):
		return UnknownDirectory
	}
	return FileDirectory
}

// addressLike matches text that begins like a URL, or names a password as the keywords of libpq do. Unlike the name of a file, it may
// contain a password.
var addressLike = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]+:|(?i:password)\s*=`)

// PublicName returns a directory setting as logs may show it: without user, password, query and fragment.
func PublicName(directory string) string {
	kind := KindOf(directory)
	switch kind {
	case FileDirectory:
		return directory
	case UnknownDirectory:
		return "an address"
	}
	u, err := url.Parse(directory)
	if err != nil {
		return string(kind) + "://..."
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
