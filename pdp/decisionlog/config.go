package decisionlog

import (
	"crypto/ed25519"
	"errors"
	"log/slog"
	"time"
)

// Durability says when [Log.Append] returns.
type Durability int

const (
	Sync     Durability = iota // after the record is on disk: written and fsynced
	Buffered                   // once the record is queued; it is on disk within about 100 ms
)

// FailurePolicy says what happens to a record that cannot be written, or that finds the queue full.
type FailurePolicy int

const (
	Block FailurePolicy = iota // Append waits until the record can be written, or until its context ends
	Deny                       // Append returns an error at once
	Count                      // Append returns nil, and the record is counted as lost
)

// MaxRecord is the highest number of bytes of a record.
const MaxRecord = 1 << 20

// Config configures a [Log]. Zero values have the defaults named here.
type Config struct {
	Dir        string // of the segments; it is created with mode 0700, the files with 0600
	Durability Durability
	Full       FailurePolicy

	MaxSegment    int64         // bytes after which a segment is closed; 64 MiB, or a quarter of MaxTotal if that is less
	MaxSegmentAge time.Duration // after which a segment with records is closed; 24 h
	MaxTotal      int64         // bytes of all closed segments together: older ones are deleted; 0 is no limit, else at least MaxSegment
	MaxAge        time.Duration // after which closed segments are deleted; 0 is no limit

	QueueRecords int   // records that wait to be written, at most; 65,536
	QueueBytes   int64 // their bytes, at most; 32 MiB

	// Signer returns the key that signs the next checkpoint. If it is nil, or returns nil, heads and checkpoints are not signed.
	Signer func() ed25519.PrivateKey
	Logger *slog.Logger // nil discards

	// replaced by tests:
	openFile        func(path string) (file, error)
	now             func() time.Time
	checkpointEvery int // records
}

const (
	checkpointRecords  = 1000
	checkpointInterval = 10 * time.Second
	announceInterval   = time.Minute           // between checkpoints that are written to the logger
	collectInterval    = 10 * time.Millisecond // that Buffered collects records for before it writes them
	syncInterval       = 50 * time.Millisecond // that it leaves them unsynced for
	batchBytes         = 4 << 20               // that are written at once
	maxLine            = MaxRecord + 4096      // a record and what is around it
)

func (c Config) withDefaults() (Config, error) {
	if c.Dir == "" {
		return c, errors.New("the decision log needs a folder")
	}
	if c.MaxTotal > 0 {
		setDefault(&c.MaxSegment, min(64<<20, max(c.MaxTotal/4, 1)))
	}
	setDefault(&c.MaxSegment, 64<<20)
	if c.MaxTotal > 0 && c.MaxTotal < c.MaxSegment {
		return c, errors.New("the decision log must be allowed to keep at least one whole segment")
	}
	setDefault(&c.MaxSegmentAge, 24*time.Hour)
	setDefault(&c.QueueRecords, 1<<16)
	setDefault(&c.QueueBytes, 32<<20)
	setDefault(&c.checkpointEvery, checkpointRecords)
	if c.QueueBytes < maxLine {
		return c, errors.New("the queue of the decision log must hold one record of the highest size, 1 MiB and 4 KiB")
	}
	if c.Signer == nil {
		c.Signer = func() ed25519.PrivateKey { return nil }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.openFile == nil {
		c.openFile = openFile
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c, nil
}

func setDefault[T int | int64 | time.Duration](value *T, to T) {
	if *value <= 0 {
		*value = to
	}
}
