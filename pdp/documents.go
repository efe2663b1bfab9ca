package pdp

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// maxDocuments bounds the compiled documents of a policy: callers choose the paths.
const maxDocuments = 256

// documents are what callers asked a policy for, compiled once each. Safe for concurrent use.
type documents struct {
	revision *bundles.Revision
	path     []string // of the entrypoint

	mu       sync.Mutex
	compiled map[string]*bundles.Document // at most maxDocuments
}

func newDocuments(r *bundles.Revision) *documents {
	return &documents{revision: r, path: strings.Split(r.Entrypoint, "/"), compiled: map[string]*bundles.Document{}}
}

// at gives the document at a path, nil where there can be none. Only what can be is kept.
func (d *documents) at(path []string, withData bool) (*bundles.Document, error) {
	key := fmt.Sprintf("%t %q", withData, path)
	d.mu.Lock()
	document := d.compiled[key]
	d.mu.Unlock()
	if document != nil {
		return document, nil
	}
	document, err := d.revision.Document(path, withData)
	if document == nil || err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for other := range d.compiled { // whichever comes first has to go
		if len(d.compiled) < maxDocuments {
			break
		}
		delete(d.compiled, other)
	}
	d.compiled[key] = document
	return document, nil
}

// decides says whether a path is that of the decision.
func (d *documents) decides(path []string) bool { return slices.Equal(path, d.path) }
