package config

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"
)

// DecisionLog holds the settings of the key decision_log of the YAML file. Two of them are also flags: --decision-log is dir, and
// --decision-log-durability is durability.
type DecisionLog struct {
	// Dir is the folder of the log; "": decisions are not recorded.
	Dir string
	// Durability says when an answer may leave: buffered, sync (once its record is on disk), or off.
	Durability string
	// OnFailure says what happens to answers whose records cannot be written: block (they wait, and are errors when their time is
	// over), deny (they are errors at once), or count (they leave, and the loss is counted).
	OnFailure string
	// SegmentSize and SegmentAge say when a file of the log is closed and compressed.
	SegmentSize ByteSize
	SegmentAge  time.Duration
	// TotalSize and MaxAge say when closed files are deleted; 0: never.
	TotalSize ByteSize
	MaxAge    time.Duration
	// KeyFile is an Ed25519 key (PEM) that signs the log.
	KeyFile string
	// PseudonymKeyFile is a key that replaces the ids of people by pseudonyms; "": ids are kept.
	PseudonymKeyFile string
	// Facts says whether records have the facts, which replaying them needs.
	Facts bool
	// Sinks are where records are sent to as well.
	Sinks []Sink
}

// The values of [DecisionLog.Durability] and [DecisionLog.OnFailure].
const (
	DurabilityBuffered = "buffered"
	DurabilitySync     = "sync"
	DurabilityOff      = "off"

	FailureBlock = "block"
	FailureDeny  = "deny"
	FailureCount = "count"
)

const decisionLogKey = "decision_log"

// decisionLogFlags are the settings of the key decision_log that are flags.
var decisionLogFlags = map[string]string{"dir": "decision-log", "durability": "decision-log-durability"}

func defaultDecisionLog() DecisionLog {
	return DecisionLog{Durability: DurabilityBuffered, OnFailure: FailureBlock, SegmentSize: 64 << 20, SegmentAge: 24 * time.Hour, Facts: true}
}

// table lists these settings, like the table of [Settings].
func (d *DecisionLog) table() *pflag.FlagSet {
	t := pflag.NewFlagSet(decisionLogKey, pflag.ContinueOnError)
	t.SortFlags = false
	t.StringVar(&d.Dir, "dir", d.Dir, "")
	t.StringVar(&d.Durability, "durability", d.Durability, "")
	t.StringVar(&d.OnFailure, "on_failure", d.OnFailure, "")
	t.Var(&d.SegmentSize, "segment_size", "")
	t.DurationVar(&d.SegmentAge, "segment_age", d.SegmentAge, "")
	t.Var(&d.TotalSize, "total_size", "")
	t.DurationVar(&d.MaxAge, "max_age", d.MaxAge, "")
	t.StringVar(&d.KeyFile, "key_file", d.KeyFile, "")
	t.StringVar(&d.PseudonymKeyFile, "pseudonym_key_file", d.PseudonymKeyFile, "")
	t.BoolVar(&d.Facts, "facts", d.Facts, "")
	return t
}

// Enabled reports whether decisions are recorded.
func (d *DecisionLog) Enabled() bool { return d.Dir != "" && d.Durability != DurabilityOff }

// minSegment is the minimum size of a file of the log.
const minSegment ByteSize = 1 << 20

func (s *Settings) validateDecisionLog() error {
	d := &s.DecisionLog
	setting := func(name string) string { return decisionLogKey + "." + name }
	faults := []error{
		s.validateChoice(decisionLogFlags["durability"], d.Durability, DurabilityBuffered, DurabilitySync, DurabilityOff),
		s.validateChoice(setting("on_failure"), d.OnFailure, FailureBlock, FailureDeny, FailureCount),
	}
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if d.SegmentSize < minSegment {
		fault("%s is %s: use at least 1MiB", s.Spelling(setting("segment_size")), &d.SegmentSize)
	}
	if d.TotalSize != 0 && d.TotalSize < d.SegmentSize {
		fault("%s is %s: it must have room for a segment, or be 0KiB for no limit", s.Spelling(setting("total_size")), &d.TotalSize)
	}
	if d.SegmentAge <= 0 {
		fault("%s is %s: it must be positive", s.Spelling(setting("segment_age")), d.SegmentAge)
	}
	if d.MaxAge < 0 || d.MaxAge > 0 && d.MaxAge < d.SegmentAge {
		fault("%s is %s: it must be at least that of a segment, or 0s for no limit", s.Spelling(setting("max_age")), d.MaxAge)
	}
	if d.Dir == "" && d.Durability == DurabilitySync {
		fault("%s is sync, but there is no log: set --decision-log", s.Spelling(decisionLogFlags["durability"]))
	}
	return errors.Join(append(faults, s.validateSinks())...)
}
