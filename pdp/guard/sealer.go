package guard

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"log/slog"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/fleetkey"
)

// Of a token: when it expires, and hashes of the question with its caller, and of the records.
const (
	hashSize  = 16
	plainSize = 8 + 2*hashSize
)

// tokenSize is the length of a token.
var tokenSize = base64.RawURLEncoding.EncodedLen(fleetkey.SealSize + plainSize)

// ErrToken is the error for a text that is no token of a guard, or that of another question or caller.
var ErrToken = errors.New("not a guard of this question")

// Guard is what a token stands for. It grants no right: a claim decides the question again.
type Guard struct {
	Expires time.Time
	records string
}

// StandsOn reports whether the guard was made for these records, in these versions.
func (g Guard) StandsOn(records []Record) bool { return g.records == digest(records) }

// Sealer makes tokens of guards, and opens them. It is safe for concurrent use.
type Sealer struct{ keys *fleetkey.Keys }

// NewSealer returns a Sealer with the keys of a fleet. Without any, a random key of this process takes their place: no other
// sidecar then opens its tokens.
func NewSealer(keys *fleetkey.Keys, logger *slog.Logger) *Sealer {
	if keys == nil {
		keys = fleetkey.Random(logger)
	}
	return &Sealer{keys}
}

// Seal returns the token of a guard for a question and the caller who asks it.
func (s *Sealer) Seal(q authzen.Evaluation, caller string, g Guard, records []Record) string {
	plain := make([]byte, 0, plainSize)
	plain = binary.BigEndian.AppendUint64(plain, uint64(g.Expires.UnixMilli()))
	plain = append(append(plain, bound(q, caller)...), digest(records)...)
	return base64.RawURLEncoding.EncodeToString(s.keys.Seal(fleetkey.Guard, plain))
}

// Open returns the guard of a token. The error is [ErrToken], or why the token is not one of this fleet.
func (s *Sealer) Open(token string, q authzen.Evaluation, caller string) (Guard, error) {
	if len(token) != tokenSize {
		return Guard{}, ErrToken
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || base64.RawURLEncoding.EncodeToString(sealed) != token { // decoding ignores line breaks
		return Guard{}, ErrToken
	}
	plain, err := s.keys.Open(fleetkey.Guard, sealed)
	if err != nil {
		return Guard{}, err
	}
	if len(plain) != plainSize || string(plain[8:8+hashSize]) != bound(q, caller) {
		return Guard{}, ErrToken
	}
	expires := time.UnixMilli(int64(binary.BigEndian.Uint64(plain)))
	return Guard{Expires: expires, records: string(plain[8+hashSize:])}, nil
}

// bound returns a hash of who asks what. What a question asks for beside its answer, or how fresh its facts must be, does not
// belong to it.
func bound(q authzen.Evaluation, caller string) string {
	context := make(map[string]any, len(q.Context))
	for name, value := range q.Context {
		if name != "include" && name != "at_least" {
			context[name] = value
		}
	}
	q.Context = context
	return digest(caller, q.Canonical())
}
