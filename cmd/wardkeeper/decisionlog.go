package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/logging"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/decisionformat"
	"github.com/wardkeeper/wardkeeper/pdp/decisionlog"
	"github.com/wardkeeper/wardkeeper/pdp/decisionrecord"
	"github.com/wardkeeper/wardkeeper/pdp/decisionsink"
	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// minPseudonymKey is the minimum length of a key for pseudonyms, in bytes.
const minPseudonymKey = 32

// decisionLog is the log of decisions of a server. A nil one records nothing.
type decisionLog struct {
	log       *decisionlog.Log
	recorder  *decisionrecord.Recorder
	sinks     []*decisionsink.Sink
	pseudonym *rotation.Value[[]byte] // key; nil if ids are kept
}

// openDecisionLog opens the log of the settings and its sinks. It returns nil if they name none. With check it reads files of keys,
// tokens and certificates only.
func openDecisionLog(s *config.Settings, check bool, stdout io.Writer, logger *slog.Logger) (*decisionLog, error) {
	d := &s.DecisionLog
	if !d.Enabled() {
		return nil, nil
	}
	signer, err := openSigner(d.KeyFile, logger)
	pseudonym, fault := openPseudonymKey(d.PseudonymKeyFile, logger)
	sinks, faults := openSinks(s, stdout, logger)
	if err = errors.Join(err, fault, faults); err != nil || check {
		return nil, err
	}
	log, err := decisionlog.Open(decisionlog.Config{
		Dir: d.Dir, Durability: durabilities[d.Durability], Full: failurePolicies[d.OnFailure],
		MaxSegment: int64(d.SegmentSize), MaxSegmentAge: d.SegmentAge, MaxTotal: int64(d.TotalSize), MaxAge: d.MaxAge,
		Signer: signer, Logger: logger,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Spelling("decision-log"), err)
	}
	for _, sink := range sinks {
		if err := sink.Start(log, d.Dir); err != nil {
			return nil, errors.Join(err, log.Close(context.Background()))
		}
	}
	record := decisionrecord.Config{Sink: log, LeaveOutFacts: !d.Facts}
	if pseudonym != nil {
		record.Key, record.Pseudonyms = pseudonym.Get(), true
	}
	return &decisionLog{log, decisionrecord.New(record), sinks, pseudonym}, nil
}

// openSinks makes the sinks of the settings. They send nothing yet.
func openSinks(s *config.Settings, stdout io.Writer, logger *slog.Logger) (sinks []*decisionsink.Sink, err error) {
	for _, c := range s.DecisionLog.Sinks {
		instance, _ := os.Hostname() // without one, the service stands for it
		cfg := decisionsink.Config{
			Name: c.Name, Format: decisionformat.Format(c.Format), Delay: c.Delay, Batch: int(c.BatchSize),
			Origin: decisionformat.Origin{Service: c.Service, Instance: instance, Version: mainVersion(), Decision: s.Decision},
			URL:    c.To, Insecure: c.Insecure, Header: c.Header, TokenFile: c.TokenFile, CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile,
			Timeout: c.Timeout, Logger: logger,
		}
		if c.To == config.ToStdout {
			cfg.URL, cfg.Writer = "", stdout
		}
		sink, fault := decisionsink.New(cfg)
		if fault != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", c.Setting, fault))
		}
		sinks = append(sinks, sink)
	}
	return sinks, err
}

var (
	durabilities    = map[string]decisionlog.Durability{config.DurabilitySync: decisionlog.Sync, config.DurabilityBuffered: decisionlog.Buffered}
	failurePolicies = map[string]decisionlog.FailurePolicy{config.FailureBlock: decisionlog.Block, config.FailureDeny: decisionlog.Deny, config.FailureCount: decisionlog.Count}
)

// openSigner returns the function that returns the key that signs the log, which is read again when it changes; nil without a
// file.
func openSigner(path string, logger *slog.Logger) (func() ed25519.PrivateKey, error) {
	if path == "" {
		return nil, nil
	}
	key, err := rotation.Open(rotation.Config[ed25519.PrivateKey]{
		Name: "the key of the decision log", Paths: []string{path}, Logger: logger,
		Parse: func(contents [][]byte) (ed25519.PrivateKey, error) { return decisionlog.ParseSigningKey(contents[0]) },
	})
	if err != nil {
		return nil, err
	}
	return key.Get, nil
}

// openPseudonymKey reads the key of pseudonyms; nil without a file.
func openPseudonymKey(path string, logger *slog.Logger) (*rotation.Value[[]byte], error) {
	if path == "" {
		return nil, nil
	}
	return rotation.Open(rotation.Config[[]byte]{
		Name: "the key of pseudonyms", Paths: []string{path}, Logger: logger,
		Parse: func(contents [][]byte) ([]byte, error) {
			if len(contents[0]) < minPseudonymKey {
				return nil, fmt.Errorf("it has fewer than %d bytes: write a secret into it, such as the output of `openssl rand -hex 32`", minPseudonymKey)
			}
			return contents[0], nil
		},
	})
}

// reload takes a replaced key of pseudonyms into use. Whoever is looked for in the log has two pseudonyms from then on.
func (d *decisionLog) reload() {
	if d != nil && d.pseudonym != nil {
		d.recorder.SetKey(d.pseudonym.Get())
	}
}

// hidePeople keeps the ids of people out of the server's log too, if they are pseudonyms in the log of decisions.
func (d *decisionLog) hidePeople(logs *logging.Writer) {
	if d != nil && d.pseudonym != nil {
		logs.HidePeople(d.pseudonymOf)
	}
}

func (d *decisionLog) pseudonymOf(id string) string {
	return decisionrecord.Pseudonym(d.pseudonym.Get(), id)
}

// public returns a message as operators may see it: with the ids of people if they are no pseudonyms in the log of decisions.
func (d *decisionLog) public(text string) string {
	if d == nil || d.pseudonym == nil {
		return text
	}
	return logging.HidePeople(text, d.pseudonymOf)
}

// recorderOf returns what the engine records by; nil if there is no log.
func (d *decisionLog) recorderOf() pdp.Recorder {
	if d == nil {
		return nil
	}
	return d.recorder
}

// check returns why records cannot be written now, nil if nothing is wrong. Meanwhile answers may leave.
func (d *decisionLog) check() (answering bool, err error) {
	s := d.log.Status()
	return s.Taking, s.Failing
}

// maxSinkLag is how long a sink may fail, and how old its records may be then, before readiness tells.
const maxSinkLag = time.Minute

// checkSinks returns which sinks do not take records, and why: those for which that has lasted, and those for which it may pass.
func (d *decisionLog) checkSinks() (lasting, recent error) {
	var all []decisionsink.Status
	for _, sink := range d.sinks {
		all = append(all, sink.Status())
	}
	return sinkFaults(all, time.Now())
}

func sinkFaults(all []decisionsink.Status, now time.Time) (lasting, recent error) {
	for _, s := range all {
		if s.Failing == nil || s.Behind == 0 {
			continue
		}
		err := fmt.Errorf("sink %s lacks the last %d records: %w", s.Name, s.Behind, s.Failing)
		if max(s.Lag, now.Sub(s.Since)) > maxSinkLag {
			lasting = errors.Join(lasting, err)
		} else {
			recent = errors.Join(recent, err)
		}
	}
	return lasting, recent
}

// close closes the log, and lets the sinks send the rest of it, until the context ends.
func (d *decisionLog) close(ctx context.Context, logger *slog.Logger) {
	if d == nil {
		return
	}
	if err := d.log.Close(ctx); err != nil {
		logger.Error("the decision log is incomplete", "error", err)
	}
	for _, sink := range d.sinks {
		if err := sink.Close(ctx); err != nil {
			logger.Warn("a sink of the decision log has not everything yet", "error", err)
		}
	}
}
