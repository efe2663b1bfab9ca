package redisstore

import (
	"context"
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

// place is the answer of the stream's scripts: its position, and the state of its server.
type place struct {
	stored   string // the epoch as kept in Redis
	at       membership.Position
	time     time.Time // of the server
	replicas int       // that answered lately
	silent   bool      // replicas are connected, and none of them has answered lately
	newest   string    // the id of the entry at this place; "" where it is not known
}

var (
	errPlace    = errors.New("the stream's state in Redis cannot be read")
	errNoMaster = errors.New("the Redis server is a replica, which may be behind: name the master, or Sentinel's addresses with master_name")
	errTooLate  = errors.New("the Redis server answered too late")
)

// readPlace makes the effective epoch: the kept one, by the process that has it and by its line of replication. A
// restart and a failover thus are another epoch, since either may have lost what was announced.
func readPlace(reply []string, err error) (place, error) {
	if err != nil {
		return place{}, err
	}
	if len(reply) != 11 {
		return place{}, errPlace
	}
	stored, runID, line := reply[0], reply[2], reply[3]
	if role := reply[8]; role != "master" {
		return place{}, errNoMaster
	}
	if runID == "" || line == "" {
		return place{}, errors.New("the server does not tell its run_id: INFO server and INFO replication must be allowed")
	}
	sequence, err := strconv.ParseUint(reply[1], 10, 64)
	seconds, err2 := strconv.ParseInt(reply[4], 10, 64)
	micros, err3 := strconv.ParseInt(reply[5], 10, 64)
	replicas, err4 := strconv.Atoi(reply[6])
	connected, err5 := strconv.Atoi(reply[7])
	if errors.Join(err, err2, err3, err4, err5) != nil || stored == "" || len(stored) > record.LongestEpoch || sequence > pdp.MaxVersion {
		return place{}, errPlace
	}
	sum := sha256.Sum256([]byte(stored + "\n" + runID + "\n" + line))
	newest := ""
	if reply[9] == reply[1] { // sidecars of an older release do not write it
		newest = reply[10]
	}
	return place{
		newest:   newest,
		silent:   connected > 0 && replicas == 0,
		stored:   stored,
		at:       membership.Position{Epoch: hex.EncodeToString(sum[:12]), Sequence: sequence},
		time:     time.Unix(seconds, micros*1000),
		replicas: replicas,
	}, nil
}

// askPlace runs the script of the heartbeat. What comes back was true after asOf, a local time.
func (t *Store) askPlace(ctx context.Context, conn redis.Cmdable) (p place, asOf time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.Lease/2)
	defer cancel()
	asOf = time.Now()
	p, err = readPlace(conn.Eval(ctx, beatScript, []string{t.keys.state}, newEpoch()).StringSlice())
	if err == nil && membership.Elapsed(time.Now(), asOf) > t.cfg.Lease/2 { // the machine was suspended
		err = errTooLate
	}
	return p, asOf, err
}

// setClock takes the server's clock from an answer to a question sent at asOf. It reports whether that clock was set back since the
// last answer: records fetched before then look newer than they are.
func (t *Store) setClock(p place, asOf time.Time) (setBack bool) {
	if r := t.clock.Load(); r != nil {
		setBack = p.time.Before(r.shown.Add(min(asOf.Sub(r.at), asOf.Round(0).Sub(r.at.Round(0))) - t.cfg.Lease/2))
	}
	t.clock.Store(&reckoning{shown: p.time, at: asOf.Add(time.Since(asOf) / 2)})
	return setBack
}

// rotate ends an epoch in which the sequence went back, so that none of its positions is mistaken for a later one.
func (t *Store) rotate(ctx context.Context, conn redis.Cmdable, stored string) error {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.Lease/2)
	defer cancel()
	return conn.Eval(ctx, rotateScript, []string{t.keys.state}, stored, newEpoch()).Err()
}
