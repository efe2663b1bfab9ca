package membership

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// place is what the stream's scripts answer.
type place struct {
	stored   string // the epoch as kept in Redis
	at       position
	time     time.Time // of the server
	replicas int
}

var errPlace = errors.New("the stream's state in Redis cannot be read")

// readPlace makes the effective epoch: the kept one, by the process that has it and by its line of replication. A
// restart and a failover thus are another epoch, since either may have lost what was announced.
func readPlace(reply []string, err error) (place, error) {
	if err != nil {
		return place{}, err
	}
	if len(reply) != 7 {
		return place{}, errPlace
	}
	stored, runID, line := reply[0], reply[2], reply[3]
	if runID == "" || line == "" {
		return place{}, errors.New("the server does not tell its run_id: INFO server and INFO replication must be allowed")
	}
	sequence, err := strconv.ParseUint(reply[1], 10, 64)
	seconds, err2 := strconv.ParseInt(reply[4], 10, 64)
	micros, err3 := strconv.ParseInt(reply[5], 10, 64)
	replicas, err4 := strconv.Atoi(reply[6])
	if errors.Join(err, err2, err3, err4) != nil || stored == "" || len(stored) > longestEpoch || sequence > pdp.MaxVersion {
		return place{}, errPlace
	}
	sum := sha256.Sum256([]byte(stored + "\n" + runID + "\n" + line))
	return place{
		stored:   stored,
		at:       position{epoch: hex.EncodeToString(sum[:12]), sequence: sequence},
		time:     time.Unix(seconds, micros*1000),
		replicas: replicas,
	}, nil
}

// askPlace runs the script of the heartbeat. What comes back was true after asOf, a local time.
func (t *redisTier) askPlace(ctx context.Context, conn redis.Cmdable) (p place, asOf time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.Lease/2)
	defer cancel()
	asOf = time.Now()
	p, err = readPlace(conn.Eval(ctx, beatScript, []string{t.keys.state}, newEpoch()).StringSlice())
	if err == nil {
		t.clock.Store(&reckoning{shown: p.time, at: asOf.Add(time.Since(asOf) / 2)})
	}
	return p, asOf, err
}

// rotate ends an epoch in which the sequence went back, so that no place in it is ever mistaken for a later one.
func (t *redisTier) rotate(ctx context.Context, conn redis.Cmdable, stored string) error {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.Lease/2)
	defer cancel()
	return conn.Eval(ctx, rotateScript, []string{t.keys.state}, stored, newEpoch()).Err()
}
