package decisionsink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/decisionformat"
	"github.com/wardkeeper/wardkeeper/pdp/decisionlog"
)

// Config configures a [Sink]. Name, Format, and one of Writer and URL are required.
type Config struct {
	Name   string // in messages, and of the file with the position
	Format decisionformat.Format
	Origin decisionformat.Origin
	Delay  time.Duration // that records are collected for; 1 s
	Batch  int           // their bytes, after which they are sent at once; 1 MiB

	Writer io.Writer // for lines

	// URL is where to POST, with gzip. It must be https unless its host is a loopback address or Insecure is set.
	URL               string
	Insecure          bool
	Header            map[string]string
	TokenFile         string        // bearer token; this and the other files are read again when they change
	CAFile            string        // PEM; replaces the system's authorities
	CertFile, KeyFile string        // PEM; the client's own
	Timeout           time.Duration // of a request; 10 s

	Logger *slog.Logger // nil discards
}

const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = time.Minute
	// maxRetryAfter is the longest that a service can ask to be left alone.
	maxRetryAfter = 10 * time.Minute
	// maxBatchRecords limits what is sent together, apart from its bytes.
	maxBatchRecords = 10_000
	// minBatch is the lowest limit of bytes that a service can ask for.
	minBatch = 4 << 10
	// maxRefusals is how often a service may refuse the content of a request before it is sent in parts, and a record alone is skipped:
	// some 40 s in all, in which a proxy before the service may come back.
	maxRefusals = 10
	// saveInterval is how often the position is saved.
	saveInterval = time.Second
)

// Sink sends the records of a log. It is safe for concurrent use.
type Sink struct {
	cfg  Config
	to   destination
	stop context.CancelFunc
	done chan struct{}

	log      *decisionlog.Log
	position *positionFile
	saved    time.Time
	batch    int // [Config.Batch], or less if the service wants less
	refusals int // [maxRefusals]

	mu      sync.Mutex
	at      decisionlog.Position // of the last record that is done with
	status  Status
	pending time.Time // when the oldest record was made that is being sent
	said    bool      // that a record cannot be sent at all
}

// Status is the state of a sink.
type Status struct {
	Name    string
	Sent    uint64        // records
	Lost    uint64        // records that were deleted before they could be sent, or that can never be sent
	Behind  uint64        // records that are not sent yet
	Lag     time.Duration // age of the oldest of them
	Failing error         // why the last attempt failed, to send or to read the log; nil if it did not
	Since   time.Time     // since when attempts have failed
}

// destination is where records go.
type destination interface {
	// send sends encoded records. It returns how many of them were rejected for good.
	send(ctx context.Context, records [][]byte) (rejected int, err error)
	close()
}

// errTooLarge says that the service wants less at a time.
var errTooLarge = errors.New("the service does not take so much at a time (413)")

// errRefused says that the service does not take what the records say: it would not take them later either.
var errRefused = errors.New("the service refuses the records")

// retryAfter is an error after which a service wants to be left alone for a while.
type retryAfter struct {
	error
	wait time.Duration
}

// New reads the files of the configuration. It connects to nothing.
func New(cfg Config) (*Sink, error) {
	cfg.Delay, cfg.Batch, cfg.Timeout = cmp.Or(cfg.Delay, time.Second), cmp.Or(cfg.Batch, 1<<20), cmp.Or(cfg.Timeout, 10*time.Second)
	cfg.Logger = cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))
	s := &Sink{cfg: cfg, batch: cfg.Batch, refusals: maxRefusals, done: make(chan struct{}), status: Status{Name: cfg.Name}}
	if cfg.Writer != nil {
		s.to = stream{cfg.Writer, cfg.Format, cfg.Origin}
		return s, nil
	}
	var err error
	s.to, err = openService(cfg)
	return s, err
}

// Start begins to send the records of a log whose folder is dir. Without a saved position, it begins with the oldest.
func (s *Sink) Start(log *decisionlog.Log, dir string) error {
	var err error
	if s.position, s.at, err = openPosition(dir, s.cfg.Name); err != nil {
		return fmt.Errorf("the position of %s: %w", s.cfg.Name, err)
	}
	if !log.Has(s.at) {
		s.at = decisionlog.Position{}
	}
	s.log = log
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.run(ctx)
	return nil
}

// Close waits until everything was sent, if the log has been closed, or until the context ends. What is not sent by then will be
// after the next start.
func (s *Sink) Close(ctx context.Context) error {
	if s.stop == nil {
		return nil
	}
	defer s.stop()
	select {
	case <-s.done:
	case <-ctx.Done():
		s.stop()
		select {
		case <-s.done:
		case <-time.After(minBackoff): // a stream that nobody reads
		}
	}
	if behind := s.Status().Behind; behind > 0 {
		return fmt.Errorf("%s lacks the last %d records until the next start", s.cfg.Name, behind)
	}
	return nil
}

// Status returns the state of the sink.
func (s *Sink) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	if s.log != nil {
		status.Behind = max(s.log.Status().Seq, s.at.Seq) - s.at.Seq
	}
	if !s.pending.IsZero() {
		status.Lag = max(time.Since(s.pending), 0)
	}
	return status
}

// item is a record on its way.
type item struct {
	encoded []byte // nil if that is not possible
	at      decisionlog.Position
	time    time.Time
	missing uint64 // records between the one before and this one
}

func (s *Sink) run(ctx context.Context) {
	defer close(s.done)
	defer s.to.close()
	defer s.position.close()
	items := make(chan item)
	go s.follow(ctx, items)
	for more := true; more; {
		var batch []item
		batch, more = s.collect(items)
		if !s.deliver(ctx, batch, 0) {
			break
		}
	}
	s.save()
}

// follow encodes the records of the log. If it cannot read it, such as for want of descriptors, it tries again.
func (s *Sink) follow(ctx context.Context, items chan<- item) {
	defer close(items)
	for last, backoff := s.at, minBackoff; ; backoff = min(2*backoff, maxBackoff) {
		before := last
		err := s.followFrom(ctx, &last, items)
		if err == nil || ctx.Err() != nil {
			return
		}
		s.fail(fmt.Errorf("the log of decisions cannot be read: %w", err))
		if last != before {
			backoff = minBackoff
		}
		select {
		case <-time.After(backoff):
		case <-ctx.Done():
			return
		}
	}
}

// followFrom encodes the records after a position, and moves it. It returns nil at the end of a log that was closed.
func (s *Sink) followFrom(ctx context.Context, last *decisionlog.Position, items chan<- item) error {
	for e, err := range s.log.Follow(ctx, *last) {
		if _, broken := errors.AsType[*decisionlog.Fault](err); broken {
			s.cfg.Logger.Error("the log of decisions cannot be read where it is broken", "sink", s.cfg.Name, "error", err)
			continue
		}
		if err != nil {
			return err
		}
		i := item{at: decisionlog.Position{Log: s.log.ID(), Segment: e.Segment, Seq: e.Seq}, time: e.Time}
		if last.Log == i.at.Log && last.Seq > 0 && e.Seq > last.Seq {
			i.missing = e.Seq - last.Seq - 1
		}
		*last = i.at
		if i.encoded, err = s.cfg.Format.Encode(s.cfg.Origin, e.Record); err != nil {
			s.sayLost(e.Seq, err)
		}
		select {
		case items <- i:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// collect returns what is to be sent together, and whether more can come.
func (s *Sink) collect(items <-chan item) (batch []item, more bool) {
	var over <-chan time.Time
	for size := 0; ; {
		select {
		case i, ok := <-items:
			if !ok {
				return batch, false
			}
			if len(batch) == 0 {
				s.setPending(i.time)
				over = time.After(s.cfg.Delay)
			}
			batch = append(batch, i)
			if size += len(i.encoded); size >= s.batch || len(batch) == maxBatchRecords {
				return batch, true
			}
		case <-over:
			return batch, true
		}
	}
}

func (s *Sink) setPending(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = at
}

// deliver sends a batch, which has been refused so often, again and again while that fails. It returns false if the context ended before.
func (s *Sink) deliver(ctx context.Context, batch []item, refused int) bool {
	if len(batch) == 0 {
		return true
	}
	s.setPending(batch[0].time)
	records, size := make([][]byte, 0, len(batch)), 0
	for _, i := range batch {
		if i.encoded != nil {
			records, size = append(records, i.encoded), size+len(i.encoded)
		}
	}
	lost := len(batch) - len(records)
	for backoff := minBackoff; len(records) > 0; backoff = min(2*backoff, maxBackoff) {
		rejected, err := s.to.send(ctx, records)
		if err == nil {
			lost += min(rejected, len(records))
			break
		}
		if ctx.Err() != nil {
			return false
		}
		if errors.Is(err, errRefused) {
			refused++
		}
		switch divide := errors.Is(err, errTooLarge) || refused >= s.refusals; {
		case divide && len(batch) > 1:
			if errors.Is(err, errTooLarge) {
				s.batch = max(size/2, minBatch)
			} else if !pause(ctx, minBackoff, err) { // a service that refuses everything is not flooded
				return false
			}
			half := len(batch) / 2 // and each part is refused once before it is divided too
			return s.deliver(ctx, batch[:half], max(refused-1, 0)) && s.deliver(ctx, batch[half:], max(refused-1, 0))
		case divide:
			s.sayLost(batch[0].at.Seq, err)
			s.succeed(batch, 1)
			return true
		}
		s.fail(err)
		if !pause(ctx, backoff, err) {
			return false
		}
	}
	s.succeed(batch, lost)
	return true
}

// pause waits after a failure, for as long as the service asks for if that is longer. It returns false if the context ended before.
func pause(ctx context.Context, backoff time.Duration, err error) bool {
	wait := backoff/2 + rand.N(backoff/2+1)
	if asked, ok := errors.AsType[retryAfter](err); ok {
		wait = max(wait, min(asked.wait, maxRetryAfter))
	}
	select {
	case <-time.After(wait):
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *Sink) fail(err error) {
	s.mu.Lock()
	first := s.status.Failing == nil
	s.status.Failing = err
	if first {
		s.status.Since = time.Now()
	}
	s.mu.Unlock()
	if first {
		s.cfg.Logger.Warn("decisions cannot be sent: they are tried again", "sink", s.cfg.Name, "error", err)
	}
}

// succeed notes that a batch is done with, so many of its records not sent.
func (s *Sink) succeed(batch []item, lost int) {
	missing := uint64(0)
	for _, i := range batch {
		missing += i.missing
	}
	s.mu.Lock()
	recovered := s.status.Failing != nil
	s.status.Failing, s.status.Since, s.pending, s.at = nil, time.Time{}, time.Time{}, batch[len(batch)-1].at
	s.status.Sent += uint64(len(batch) - lost)
	s.status.Lost += uint64(lost) + missing
	s.mu.Unlock()
	if recovered {
		s.cfg.Logger.Info("decisions can be sent again", "sink", s.cfg.Name)
	}
	if missing > 0 {
		s.cfg.Logger.Error("records were deleted or damaged before they could be sent", "sink", s.cfg.Name, "records", missing)
	}
	if time.Since(s.saved) >= saveInterval {
		s.save()
	}
}

// sayLost logs the first record that can never be sent; [Status] counts them.
func (s *Sink) sayLost(seq uint64, err error) {
	s.mu.Lock()
	said := s.said
	s.said = true
	s.mu.Unlock()
	if !said {
		s.cfg.Logger.Error("a record can never be sent", "sink", s.cfg.Name, "seq", seq, "error", err)
	}
}

func (s *Sink) save() {
	s.saved = time.Now()
	s.mu.Lock()
	at := s.at
	s.mu.Unlock()
	if err := s.position.write(at); err != nil {
		s.cfg.Logger.Warn("the position of a sink cannot be saved: after a restart records are sent twice", "sink", s.cfg.Name, "error", err)
	}
}
