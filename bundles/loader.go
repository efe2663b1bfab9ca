package bundles

import (
	"bytes"
	"io"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/loader/filter"
)

// archiveLoader passes the files of an archive to OPA's reader. Their sizes and names have been checked.
type archiveLoader struct {
	files []File
	next  int
}

var _ bundle.DirectoryLoader = (*archiveLoader)(nil)

// NextFile implements [bundle.DirectoryLoader].
func (l *archiveLoader) NextFile() (*bundle.Descriptor, error) {
	if l.next == len(l.files) {
		return nil, io.EOF
	}
	f := l.files[l.next]
	l.next++
	return bundle.NewDescriptor(f.Name, "/"+f.Name, bytes.NewBuffer(f.Data)), nil
}

// WithFilter implements [bundle.DirectoryLoader]; the archive has been filtered.
func (l *archiveLoader) WithFilter(filter.LoaderFilter) bundle.DirectoryLoader { return l }

// WithPathFormat implements [bundle.DirectoryLoader].
func (l *archiveLoader) WithPathFormat(bundle.PathFormat) bundle.DirectoryLoader { return l }

// WithSizeLimitBytes implements [bundle.DirectoryLoader].
func (l *archiveLoader) WithSizeLimitBytes(int64) bundle.DirectoryLoader { return l }

// WithFollowSymlinks implements [bundle.DirectoryLoader].
func (l *archiveLoader) WithFollowSymlinks(bool) bundle.DirectoryLoader { return l }
