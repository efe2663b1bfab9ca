package redisstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// streamState is the reply of the stream's scripts: the position of the stream, and the state of its server.
type streamState struct {
	storedEpoch    string // as kept in Redis
	position       membership.Position
	serverTime     time.Time
	replicas       int                   // that answered recently
	replicasSilent bool                  // replicas are connected, but none has answered recently
	newestID       string                // the id of the entry at the position; "" if unknown
	appended       bool                  // the script has appended a signed entry
	leadership     membership.Leadership // of a heartbeat
}

var (
	errState      = errors.New("the stream's state in Redis cannot be read")
	errNotMaster  = errors.New("the Redis server is a replica, which may be behind: name the master, or Sentinel's addresses with master_name")
	errLateAnswer = errors.New("the Redis server answered too late")
)

// replyLength is the number of values in the reply of each script that ends with scriptReply. Some scripts add more.
const replyLength = 12

// parseStreamState parses a script's reply. The epoch of the position is a hash of the stored epoch, the server's
// process and its replication id. So a restart or a failover starts another epoch, because either may have lost
// announcements.
func parseStreamState(reply []string, err error) (streamState, error) {
	if err != nil {
		return streamState{}, err
	}
	if len(reply) < replyLength {
		return streamState{}, errState
	}
	storedEpoch, runID, replicationID := reply[0], reply[2], reply[3]
	if role := reply[8]; role != "master" {
		return streamState{}, errNotMaster
	}
	if runID == "" || replicationID == "" {
		return streamState{}, errors.New("the Redis server does not report its run_id: allow INFO server and INFO replication")
	}
	sequence, err := strconv.ParseUint(reply[1], 10, 64)
	seconds, err2 := strconv.ParseInt(reply[4], 10, 64)
	micros, err3 := strconv.ParseInt(reply[5], 10, 64)
	replicas, err4 := strconv.Atoi(reply[6])
	connected, err5 := strconv.Atoi(reply[7])
	if errors.Join(err, err2, err3, err4, err5) != nil || storedEpoch == "" || len(storedEpoch) > record.MaxEpoch || sequence > pdp.MaxVersion {
		return streamState{}, errState
	}
	sum := sha256.Sum256([]byte(storedEpoch + "\n" + runID + "\n" + replicationID))
	newestID := ""
	if reply[9] == reply[1] { // sidecars of an older release do not write the id
		newestID = reply[10]
	}
	return streamState{
		storedEpoch:    storedEpoch,
		position:       membership.Position{Epoch: hex.EncodeToString(sum[:12]), Sequence: sequence},
		serverTime:     time.Unix(seconds, micros*1000),
		replicas:       replicas,
		replicasSilent: connected > 0 && replicas == 0,
		newestID:       newestID,
		appended:       reply[11] != "",
	}, nil
}

// readState runs the heartbeat script. asOf is a local time before the request: the state was read at some time after
// it.
func (s *Store) readState(ctx context.Context, conn redis.Cmdable) (state streamState, asOf time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Lease/2)
	defer cancel()
	asOf = time.Now()
	reply, err := conn.Eval(ctx, heartbeatScript, []string{s.keys.state, s.keys.leader, s.keys.standby}, randomEpoch()).StringSlice()
	if err == nil && len(reply) != replyLength+leadershipLength {
		err = errState
	}
	state, err = parseStreamState(reply, err)
	if err == nil {
		state.leadership = s.parseLeadership(reply[replyLength:], state.position)
	}
	if err == nil && membership.Elapsed(time.Now(), asOf) > s.cfg.Lease/2 { // the machine was suspended
		err = errLateAnswer
	}
	return state, asOf, err
}

// setClock sets the shared clock from the reply to a request sent at asOf. It reports whether the server's clock was set
// back since the last reply: records fetched before that look newer than they are.
func (s *Store) setClock(state streamState, asOf time.Time) (setBack bool) {
	if r := s.clock.Load(); r != nil {
		setBack = state.serverTime.Before(r.server.Add(min(asOf.Sub(r.local), asOf.Round(0).Sub(r.local.Round(0))) - s.cfg.Lease/2))
	}
	s.clock.Store(&clockReading{server: state.serverTime, local: asOf.Add(time.Since(asOf) / 2)})
	return setBack
}

// newEpoch replaces the stored epoch, unless another sidecar has done so already.
func (s *Store) newEpoch(ctx context.Context, conn redis.Cmdable, storedEpoch string) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Lease/2)
	defer cancel()
	return conn.Eval(ctx, newEpochScript, []string{s.keys.state}, storedEpoch, randomEpoch()).Err()
}

func randomEpoch() string { return rand.Text() }
