package follow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// source is where bundles come from. Only one goroutine at a time calls it.
type source interface {
	// fetch returns the current bundle, or only its tag if that was seen last. The error is a [*bundles.Refusal]:
	// [bundles.Unavailable] if nothing can be fetched, and another reason if the content cannot be a bundle.
	fetch(ctx context.Context, last seen) (fetched, error)
	// pause returns how long to wait before the next fetch: any time in the interval. failures counts the failed fetches in
	// a row; changed reports that the last fetch brought the revision that is active now.
	pause(failures int, changed bool) interval
	// confirmInterval returns how long it can take, without failures, until the source confirms the active revision.
	confirmInterval() time.Duration
	// remote reports whether bundles cross a network, and so need a signature.
	remote() bool
	// String names the source in messages. It holds no credentials.
	String() string
}

// seen is the state of a source as it was last checked.
type seen struct {
	tag string
	// trusted reports that the content with this tag had a valid signature, or is active. Only then may the source be asked
	// whether it has changed. Other content may have been damaged by a proxy, which would answer "unchanged" forever.
	trusted bool
}

// fetched is the result of a fetch: an archive as it was sent, or a directory that has been read. If both are nil, the
// source has not changed.
type fetched struct {
	tag     string // identifies this state of the source
	raw     []byte
	archive *bundles.Archive
}

func (f fetched) unchanged() bool { return f.raw == nil && f.archive == nil }

// digest returns the digest of the content, or "" if there is none.
func (f fetched) digest() string {
	switch {
	case f.raw != nil:
		return digest(f.raw)
	case f.archive == nil:
		return ""
	}
	sum := sha256.New()
	for _, file := range f.archive.Files {
		fmt.Fprintf(sum, "%q %d\n%s", file.Name, len(file.Data), file.Data)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// interval is a range of durations, from which followers choose at random. Those that were restarted, or lost their server,
// at the same time would otherwise keep asking at the same time.
type interval struct{ min, max time.Duration }

// exactly returns the interval of one duration.
func exactly(d time.Duration) interval { return interval{d, d} }

// backoff doubles with each failure in a row, from 100 ms up to longest, and may be longer by half.
func backoff(failures int, longest time.Duration) interval {
	pause := 100 * time.Millisecond
	for range min(failures-1, 20) {
		pause *= 2
	}
	pause = min(pause, longest)
	return interval{pause, pause + pause/2}
}

func unavailable(err error) error {
	return &bundles.Refusal{Reason: bundles.Unavailable, Temporary: true, Err: err}
}

// readBounded reads to the end. If there are more than limit bytes, it returns a refusal and the beginning.
func readBounded(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, unavailable(fmt.Errorf("cannot read it to its end: %w", err))
	case int64(len(data)) > limit:
		return data, bundles.Refusef(bundles.TooLarge, "it is larger than %d bytes", limit)
	case len(data) == 0:
		return data, &bundles.Refusal{Reason: bundles.Malformed, Err: errors.New("it is empty")}
	}
	return data, nil
}
