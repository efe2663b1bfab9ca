package httporigin

import (
	linked "container/list"
	"sync"
)

// longestETag bounds what is sent back in each request.
const longestETag = 1 << 10

// keptAnswers are those that a 304 can stand for, bounded by bytes: the one that was used longest ago goes first. An
// ETag says nothing of which answer is newer, so that it is no version. Safe for concurrent use.
type keptAnswers struct {
	largest int

	mu    sync.Mutex
	bytes int
	order *linked.List // of *keptAnswer, the one used last in front
	byURI map[string]*linked.Element
}

type keptAnswer struct {
	uri, etag string
	body      []byte
}

func (k *keptAnswer) size() int { return len(k.uri) + len(k.etag) + len(k.body) + 256 }

func newKeptAnswers(largest int) *keptAnswers {
	return &keptAnswers{largest: largest, order: linked.New(), byURI: map[string]*linked.Element{}}
}

func (k *keptAnswers) get(uri string) *keptAnswer {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.byURI[uri]
	if e == nil {
		return nil
	}
	k.order.MoveToFront(e)
	return e.Value.(*keptAnswer)
}

func (k *keptAnswers) put(a *keptAnswer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.remove(a.uri)
	if a.etag == "" || len(a.etag) > longestETag || a.size() > k.largest {
		return
	}
	k.byURI[a.uri] = k.order.PushFront(a)
	for k.bytes += a.size(); k.bytes > k.largest; {
		k.remove(k.order.Back().Value.(*keptAnswer).uri)
	}
}

func (k *keptAnswers) drop(uri string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.remove(uri)
}

func (k *keptAnswers) remove(uri string) {
	if e := k.byURI[uri]; e != nil {
		k.bytes -= k.order.Remove(e).(*keptAnswer).size()
		delete(k.byURI, uri)
	}
}
