package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/decisionlog"
	"github.com/wardkeeper/wardkeeper/pdp/decisionrecord"
	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// minPseudonymKey is the minimum length of a key for pseudonyms, in bytes.
const minPseudonymKey = 32

// decisionLog is the log of decisions of a server. A nil one records nothing.
type decisionLog struct {
	log      *decisionlog.Log
	recorder *decisionrecord.Recorder
	counting bool // losses are counted, and answers leave nevertheless
}

// openDecisionLog opens the log of the settings. It returns nil if they name none. With check it reads the keys only.
func openDecisionLog(s *config.Settings, check bool, logger *slog.Logger) (*decisionLog, error) {
	d := &s.DecisionLog
	if !d.Enabled() {
		return nil, nil
	}
	signer, err := openSigner(d.KeyFile, logger)
	key, fault := openPseudonymKey(d.PseudonymKeyFile, logger)
	if err = errors.Join(err, fault); err != nil || check {
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
	recorder := decisionrecord.New(decisionrecord.Config{Sink: log, Key: key, Pseudonyms: key != nil, LeaveOutFacts: !d.Facts})
	return &decisionLog{log, recorder, d.OnFailure == config.FailureCount}, nil
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
func openPseudonymKey(path string, logger *slog.Logger) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	key, err := rotation.Open(rotation.Config[[]byte]{
		Name: "the key of pseudonyms", Paths: []string{path}, Logger: logger,
		Parse: func(contents [][]byte) ([]byte, error) {
			if len(contents[0]) < minPseudonymKey {
				return nil, fmt.Errorf("it has fewer than %d bytes: write a secret into it, such as the output of `openssl rand -hex 32`", minPseudonymKey)
			}
			return contents[0], nil
		},
	})
	if err != nil {
		return nil, err
	}
	return key.Get(), nil
}

// recorderOf returns what the engine records by; nil if there is no log.
func (d *decisionLog) recorderOf() pdp.Recorder {
	if d == nil {
		return nil
	}
	return d.recorder
}

// check returns why nothing can be recorded now; nil if nothing is wrong.
func (d *decisionLog) check() error { return d.log.Status().Failing }

func (d *decisionLog) close(ctx context.Context, logger *slog.Logger) {
	if d == nil {
		return
	}
	if err := d.log.Close(ctx); err != nil {
		logger.Error("the decision log is incomplete", "error", err)
	}
}
