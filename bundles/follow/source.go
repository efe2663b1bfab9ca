package follow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// source is where bundles come from. One goroutine at a time calls it.
type source interface {
	// fetch gives what is there now, unless that is what was seen: then there is nothing but a tag. It fails with a
	// [*bundles.Refusal]: [bundles.Unavailable] where nothing can be had, another reason where what is there cannot be a bundle.
	fetch(ctx context.Context, before seen) (fetched, error)
	// pause is how long to wait before the next fetch. failures counts those that failed in a row; news says that the last
	// one brought what is active now.
	pause(failures int, news bool) time.Duration
	// confirms is how long it may take, when all is well, until a source confirms what is active.
	confirms() time.Duration
	// network says whether bundles cross a network, so that a signature is required.
	network() bool
	// String names the source in messages: no credentials are in it.
	String() string
}

// seen is the state of a source that was judged last.
type seen struct {
	tag string
	// proven says that what had this tag bore a valid signature, or is active. Only then may a source be asked whether it
	// has changed: a proxy may have spoilt anything else, and would say for ever that it has not.
	proven bool
}

// fetched is what a source has: an archive as it came, or a directory that has been read. Neither says that it is what
// was seen.
type fetched struct {
	tag     string // names this state of the source
	raw     []byte
	archive *bundles.Archive
}

func (f fetched) nothing() bool { return f.raw == nil && f.archive == nil }

// digest is a tag for what has none.
func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// backoff doubles from a tenth of a second up to a longest pause.
func backoff(failures int, longest time.Duration) time.Duration {
	pause := 100 * time.Millisecond
	for range min(failures-1, 20) {
		pause *= 2
	}
	return min(pause, longest)
}
