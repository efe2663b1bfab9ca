package fleetkey

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// Use is what a key derived from the secret is for.
type Use uint8

// The uses. Their names are labels of metrics, and parts of what keys are derived by.
const (
	SharedValue Use = iota // a value in Redis
	StreamEntry            // an entry of the stream of changes
	PageToken              // a token that continues a list
	ChangeToken            // a token of an announcement, for context.at_least
	Guard                  // a token of a guard
	Watermark              // the evidence of a leader that the stream of changes is complete
	uses
)

// String returns the name of the use.
func (u Use) String() string {
	return [...]string{"shared_value", "stream_entry", "page_token", "change_token", "guard", "watermark"}[u]
}

const (
	secretSize = sha256.Size // of each key in the file
	idSize     = 4
	maxKeys    = 4 // in the file; a rotation needs two
)

// key is one secret, and what is derived from it.
type key struct {
	id      [idSize]byte // names the key, and reveals nothing about it
	derived [uses][]byte
}

// Keys are the keys of a fleet. They are safe for concurrent use. A nil *Keys stands for a fleet without a key; only
// [Keys.Renew] and [Keys.Status] may be called on it.
type Keys struct {
	file interface {
		Get() []key
		Renew()
	}
	account
}

// Open reads the keys in a file, one a line, each of 64 hexadecimal digits, and reads them again when the file changes.
// No path means no keys: the result is then nil.
func Open(path string, logger *slog.Logger) (*Keys, error) {
	if path == "" {
		return nil, nil
	}
	if logger == nil {
		logger = slog.Default()
	}
	file, err := rotation.Open(rotation.Config[[]key]{
		Name: "the fleet key file", Paths: []string{path}, Logger: logger,
		Parse: func(contents [][]byte) ([]key, error) { return parse(string(contents[0])) },
	})
	if err != nil {
		return nil, err
	}
	return &Keys{file: file, account: account{log: logger}}, nil
}

// Random returns a key of this process alone, for what no other process has to verify.
func Random(logger *slog.Logger) *Keys {
	secret := make([]byte, secretSize)
	_, _ = rand.Read(secret) // never fails
	k, err := derive(secret)
	if err != nil {
		panic(err) // the sizes are fixed
	}
	if logger == nil {
		logger = slog.Default()
	}
	return &Keys{file: fixed{k}, account: account{log: logger}}
}

// fixed are keys that do not change.
type fixed []key

func (f fixed) Get() []key { return f }
func (fixed) Renew()       {}

// Renew reads the file again even if it looks unchanged.
func (k *Keys) Renew() {
	if k != nil {
		k.file.Renew()
	}
}

const howToMake = "write one key a line, such as the output of `openssl rand -hex 32`"

// parse reads the lines of a file. Its errors do not quote them.
func parse(text string) ([]key, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, errors.New("it is empty: " + howToMake)
	}
	var keys []key
	known := map[string]bool{}
	line := 0
	for digits := range strings.SplitSeq(text, "\n") {
		line++
		secret, err := hex.DecodeString(strings.TrimSpace(digits))
		switch {
		case err != nil || len(secret) != secretSize:
			return nil, fmt.Errorf("line %d is not a key of %d hexadecimal digits: "+howToMake, line, 2*secretSize)
		case known[string(secret)]:
			return nil, fmt.Errorf("line %d repeats an earlier key: remove one of them", line)
		case line > maxKeys:
			return nil, fmt.Errorf("there are more than %d keys: remove those that no sidecar signs with any more", maxKeys)
		}
		known[string(secret)] = true
		k, err := derive(secret)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// derive derives a key for each use.
func derive(secret []byte) (k key, err error) {
	expand := func(label string, size int) []byte {
		out, fault := hkdf.Key(sha256.New, secret, nil, "wardkeeper fleet key 1: "+label, size)
		err = errors.Join(err, fault)
		return out
	}
	copy(k.id[:], expand("id", idSize))
	for use := range uses {
		k.derived[use] = expand(use.String(), sha256.Size)
	}
	return k, err
}
