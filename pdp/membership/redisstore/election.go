package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wardkeeper/wardkeeper/pdp/fleetkey"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// The elections are in the same hash slot as the stream, so that what a heartbeat reads of both is of one moment. Only the script
// that checks the term publishes a watermark. So a leader that was stopped, or cut off, publishes nothing once another one has
// begun. With a fleet key a watermark is signed, and has the time by the leader's clock: whoever writes to Redis can repeat an
// old one, together with any number of a round, but not make it newer.

var _ membership.Election = (*Store)(nil)

const (
	leadershipLength = 6    // values in the reply of a heartbeat
	maxWatermark     = 1024 // bytes
)

// watermarkJSON is a watermark in Redis.
type watermarkJSON struct {
	Term     string `json:"t"`
	Round    uint64 `json:"r"`
	Epoch    string `json:"e"`
	Sequence uint64 `json:"n"`
	History  string `json:"h,omitempty"`
	At       int64  `json:"a"` // microseconds
	Since    uint64 `json:"s,omitempty"`
	Began    int64  `json:"b,omitempty"` // microseconds
}

// leaseOf returns the key that has the lease of a role.
func (k Keys) leaseOf(role membership.Role) string {
	if role == membership.Standby {
		return k.standby
	}
	return k.leader
}

// term returns how long the lease of a role lasts. Whoever has it renews it ten times in [Config.Lease]. If it does not, the standby is to
// lead, and its proofs to arrive, before what is confirmed is no longer so.
func (c *Config) term() time.Duration { return max(3*c.Lease/10, minLease) }

// Campaign implements [membership.Election].
func (s *Store) Campaign(ctx context.Context, role membership.Role) (*membership.Term, error) {
	id := randomEpoch()
	var state streamState
	number := uint64(0)
	err := s.onStream(ctx, func(ctx context.Context, node *redis.Client) error {
		reply, err := node.Eval(ctx, campaignScript, []string{s.keys.state, s.keys.leaseOf(role)}, randomEpoch(), id, s.cfg.term().Milliseconds()).StringSlice()
		if state, err = parseStreamState(reply, err); err != nil {
			return err
		}
		if len(reply) != replyLength+1 {
			return errState
		}
		if reply[replyLength] == "" {
			return nil
		}
		number, err = strconv.ParseUint(reply[replyLength], 10, 64)
		return err
	})
	if err != nil || number == 0 {
		return nil, err
	}
	return &membership.Term{Role: role, ID: id, Number: number, At: state.position}, nil
}

// StartRound implements [membership.Election].
func (s *Store) StartRound(ctx context.Context, t *membership.Term) (round uint64, err error) {
	err = s.onStream(ctx, func(ctx context.Context, node *redis.Client) error {
		round, err = node.Eval(ctx, startRoundScript, []string{s.keys.leaseOf(t.Role)}, t.ID, s.cfg.term().Milliseconds()).Uint64()
		return err
	})
	if err == nil && round == 0 {
		err = membership.ErrDeposed
	}
	return round, err
}

// Attest implements [membership.Election].
func (s *Store) Attest(ctx context.Context, t *membership.Term, w membership.Watermark) error {
	text, err := json.Marshal(watermarkJSON{w.Term, w.Round, w.Through.Epoch, w.Through.Sequence, w.History, w.At.UnixMicro(), w.Since, w.Began.UnixMicro()})
	if err != nil {
		return err
	}
	var signature []byte
	if s.cfg.FleetKey != nil {
		signature = s.cfg.FleetKey.Sign(fleetkey.Watermark, []byte(s.keys.leader), text)
	}
	published := int64(0)
	err = s.onStream(ctx, func(ctx context.Context, node *redis.Client) error {
		published, err = node.Eval(ctx, attestScript, []string{s.keys.leader}, t.ID, s.cfg.term().Milliseconds(), text, signature).Int64()
		return err
	})
	if err == nil && published == 0 {
		err = membership.ErrDeposed
	}
	return err
}

// Resign implements [membership.Election].
func (s *Store) Resign(ctx context.Context, t *membership.Term) error {
	return s.onStream(ctx, func(ctx context.Context, node *redis.Client) error {
		return node.Eval(ctx, resignScript, []string{s.keys.leaseOf(t.Role)}, t.ID).Err()
	})
}

// onStream calls f with a client of the server that has the stream, for half of a lease at most.
func (s *Store) onStream(ctx context.Context, f func(context.Context, *redis.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Lease/2)
	defer cancel()
	node, err := s.streamNode(ctx)
	if err == nil {
		err = f(ctx, node)
	}
	if err != nil {
		refreshCluster(ctx, s.stream)
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// parseLeadership parses what heartbeatScript adds to the state. at is the position of the stream at that moment.
func (s *Store) parseLeadership(reply []string, at membership.Position) membership.Leadership {
	l := membership.Leadership{Vacant: reply[0] != "", NoStandby: reply[5] != "", Watermark: s.parseWatermark(reply[3], reply[4], at)}
	l.Term, _ = strconv.ParseUint(reply[1], 10, 64)
	var err error
	if l.Round, err = strconv.ParseUint(reply[2], 10, 64); err != nil {
		l.Watermark = nil
	}
	return l
}

// parseWatermark returns nil unless the watermark is of a leader that sees the same stream.
func (s *Store) parseWatermark(text, signature string, at membership.Position) *membership.Watermark {
	if text == "" || len(text) > maxWatermark {
		return nil
	}
	if s.cfg.FleetKey != nil && s.cfg.FleetKey.Verify(fleetkey.Watermark, []byte(signature), []byte(s.keys.leader), []byte(text)) != nil {
		return nil
	}
	var w watermarkJSON
	if json.Unmarshal([]byte(text), &w) != nil || w.Term == "" || w.Epoch != at.Epoch || w.Sequence > at.Sequence || !membership.ValidHistory(w.History) {
		return nil
	}
	watermark := &membership.Watermark{Term: w.Term, Round: w.Round, Through: membership.Position{Epoch: w.Epoch, Sequence: w.Sequence}, History: w.History, Since: w.Since}
	if s.cfg.FleetKey != nil {
		watermark.At, watermark.Began = time.UnixMicro(w.At), time.UnixMicro(w.Began)
	}
	return watermark
}
