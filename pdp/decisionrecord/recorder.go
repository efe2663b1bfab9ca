package decisionrecord

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// Sink keeps records. Implementations must be safe for concurrent use.
type Sink interface {
	// Append keeps one record. It returns when the record is kept as safely as promised; after an error it may not be. It
	// may keep the slice.
	Append(ctx context.Context, record []byte) error
}

// Config configures a [Recorder]. Sink is required.
type Config struct {
	Sink Sink
	// Key makes pseudonyms. Those of two recorders are the same if their keys are. nil: a random key, so that pseudonyms
	// can be compared only as long as the recorder lives.
	Key []byte
	// Pseudonyms replaces the ids of people and of everything else that is no location. Without it, only what does not
	// look like an id is replaced.
	Pseudonyms bool
	// LeaveOutFacts leaves the facts out of the records, so that they cannot be replayed.
	LeaveOutFacts bool
}

// Recorder is a [pdp.Recorder] that writes records to a sink. It is safe for concurrent use.
type Recorder struct {
	cfg     Config
	current atomic.Pointer[keyed]
	buffers sync.Pool // of *[]byte
}

// keyed is what depends on the key of pseudonyms.
type keyed struct {
	private *private
	facts   *factWriter // nil: facts are left out
}

var _ pdp.Recorder = (*Recorder)(nil)

// New returns a recorder.
func New(cfg Config) *Recorder {
	if cfg.Key == nil {
		cfg.Key = make([]byte, 32)
		_, _ = rand.Read(cfg.Key) // never fails
	}
	r := &Recorder{cfg: cfg}
	r.buffers.New = func() any { return new([]byte) }
	r.SetKey(cfg.Key)
	return r
}

// SetKey makes the pseudonyms of later records with another key. Those made before stay as they are.
func (r *Recorder) SetKey(key []byte) {
	if now := r.current.Load(); now != nil && bytes.Equal(now.private.key, key) {
		return
	}
	k := &keyed{private: newPrivate(key, r.cfg.Pseudonyms)}
	if !r.cfg.LeaveOutFacts {
		k.facts = &factWriter{private: k.private}
	}
	r.current.Store(k)
}

// Record implements [pdp.Recorder].
func (r *Recorder) Record(ctx context.Context, records []pdp.Record) error {
	if len(records) == 1 {
		return r.append(ctx, &records[0], batchItem{})
	}
	// All wait together, so that the sink can write them together.
	batch := newID()
	failures := make([]error, len(records))
	var group sync.WaitGroup
	for i := range records {
		encoded, err := r.encode(ctx, &records[i], batchItem{batch, i, len(records)})
		if failures[i] = err; err != nil {
			continue
		}
		group.Go(func() { failures[i] = r.cfg.Sink.Append(ctx, encoded) })
	}
	group.Wait()
	for _, err := range failures { // one is enough for the log
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Recorder) append(ctx context.Context, record *pdp.Record, item batchItem) error {
	encoded, err := r.encode(ctx, record, item)
	if err != nil {
		return err
	}
	return r.cfg.Sink.Append(ctx, encoded)
}

// encode returns a record as JSON, without what the policy hides.
func (r *Recorder) encode(ctx context.Context, record *pdp.Record, item batchItem) ([]byte, error) {
	buffer := r.buffers.Get().(*[]byte)
	defer r.buffers.Put(buffer)
	w := writer{keyed: r.current.Load(), record: record, out: (*buffer)[:0]}
	w.all(item)
	*buffer = w.out
	if cap(*buffer) > maxPooledBuffer {
		*buffer = nil
	}
	if w.tooLong {
		return nil, errors.New("the record is too long")
	}
	if p := record.Policy; p != nil && p.Masks() {
		return mask(ctx, p, w.out)
	}
	return bytes.Clone(w.out), nil
}

// maxPooledBuffer is the size of the largest buffer that is kept for later records, in bytes.
const maxPooledBuffer = 64 << 10

// newID returns an id that no other record has.
func newID() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:])
}
