package pdp

import (
	"fmt"
	"slices"
	"strconv"
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
	if already := d.compiled[key]; already != nil { // by somebody else meanwhile
		return already, nil
	}
	for other := range d.compiled { // whichever comes first has to go
		if len(d.compiled) < maxDocuments {
			break
		}
		delete(d.compiled, other)
	}
	d.compiled[key] = document
	return document, nil
}

// decides says whether a path is that of the decision, or leads into it; rest is what is asked of the decision then.
func (d *documents) decides(path []string) (rest []string, decides bool) {
	if len(path) < len(d.path) || !slices.Equal(path[:len(d.path)], d.path) {
		return nil, false
	}
	return path[len(d.path):], true
}

// partOf finds a part of a value: members of objects by name, elements of lists by number.
func partOf(value any, path []string) (part any, found bool) {
	for _, name := range path {
		switch v := value.(type) {
		case map[string]any:
			if value, found = v[name]; !found {
				return nil, false
			}
		case []any:
			n, err := strconv.Atoi(name)
			if err != nil || strconv.Itoa(n) != name || n < 0 || n >= len(v) {
				return nil, false
			}
			value = v[n]
		default:
			return nil, false
		}
	}
	return value, true
}
