package decisionrecord

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/decisionpart"
)

// Sink keeps records. Implementations must be safe for concurrent use.
type Sink interface {
	// Append keeps one record. It returns when the record is kept as safely as promised; after an error it may not be. It
	// keeps neither slice of the record.
	Append(ctx context.Context, record decisionpart.Record) error
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
	writers sync.Pool
}

// keyed is what depends on the key of pseudonyms.
type keyed struct {
	private *private
	facts   *factParts // nil: facts are left out
}

var _ pdp.Recorder = (*Recorder)(nil)

// New returns a recorder.
func New(cfg Config) *Recorder {
	if cfg.Key == nil {
		cfg.Key = make([]byte, 32)
		_, _ = crand.Read(cfg.Key) // never fails
	}
	r := &Recorder{cfg: cfg}
	r.writers.New = func() any { return new(writer) }
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
		k.facts = new(factParts)
	}
	r.current.Store(k)
}

// Record implements [pdp.Recorder].
func (r *Recorder) Record(ctx context.Context, records []pdp.Record) error {
	if len(records) == 1 {
		return r.append(ctx, &records[0], batchItem{})
	}
	// All wait together, so that the sink can write them together.
	batch := string(appendID(nil))
	failures := make([]error, len(records))
	var group sync.WaitGroup
	for i := range records {
		group.Go(func() { failures[i] = r.append(ctx, &records[i], batchItem{batch, i, len(records)}) })
	}
	group.Wait()
	for _, err := range failures { // one is enough for the log
		if err != nil {
			return err
		}
	}
	return nil
}

// append has the sink keep a record.
func (r *Recorder) append(ctx context.Context, record *pdp.Record, item batchItem) error {
	w := r.writers.Get().(*writer)
	defer r.release(w)
	w.keyed, w.record = r.current.Load(), record
	w.all(item)
	if w.tooLong {
		return errors.New("the record is too long")
	}
	if p := record.Policy; p != nil && p.Masks() {
		masked, err := mask(ctx, p, decisionpart.Whole(w.out, w.parts))
		if err != nil {
			return err
		}
		return r.cfg.Sink.Append(ctx, decisionpart.Record{JSON: masked})
	}
	return r.cfg.Sink.Append(ctx, decisionpart.Record{JSON: w.out, Parts: w.parts})
}

// maxPooledBuffer is the size of the largest buffer that is kept for later records, in bytes.
const maxPooledBuffer = 64 << 10

// release keeps the buffers of a writer for later records.
func (r *Recorder) release(w *writer) {
	if cap(w.out) > maxPooledBuffer {
		return
	}
	clear(w.parts)
	*w = writer{out: w.out[:0], parts: w.parts[:0]}
	r.writers.Put(w)
}

// appendID appends an id that no other record has.
func appendID(out []byte) []byte {
	var random [16]byte
	binary.NativeEndian.PutUint64(random[:], rand.Uint64()) // it is no secret
	binary.NativeEndian.PutUint64(random[8:], rand.Uint64())
	return hex.AppendEncode(out, random[:])
}
