package pdp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// maxDocuments limits the compiled documents of a policy, because callers choose the paths.
const maxDocuments = 256

// documents are the documents of a policy that callers have asked for, each compiled once. It is safe for concurrent
// use.
type documents struct {
	revision   *bundles.Revision
	entrypoint []string // its path

	mu       sync.Mutex
	compiled map[string]*bundles.Document // at most maxDocuments
}

func newDocuments(r *bundles.Revision) *documents {
	return &documents{revision: r, entrypoint: strings.Split(r.Entrypoint, "/"), compiled: map[string]*bundles.Document{}}
}

// at returns the document at a path; nil if there can be none. If withData is set, it may be data that is not the result
// of a rule.
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
	if existing := d.compiled[key]; existing != nil { // another request has compiled it
		return existing, nil
	}
	for other := range d.compiled { // evict any
		if len(d.compiled) < maxDocuments {
			break
		}
		delete(d.compiled, other)
	}
	d.compiled[key] = document
	return document, nil
}

// decides reports whether a path is that of the decision or leads into it. rest is the path within the decision.
func (d *documents) decides(path []string) (rest []string, decides bool) {
	n := len(d.entrypoint)
	if len(path) < n || !slices.Equal(path[:n], d.entrypoint) {
		return nil, false
	}
	return path[n:], true
}

// partOf returns the part of a value at a path: members of objects by name, elements of lists by index.
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
