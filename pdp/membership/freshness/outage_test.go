package freshness

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// However often it fails to follow or to listen, an outage is a line when it begins and one when it ends.
func TestALostSubscriptionIsOneLine(t *testing.T) {
	for name, c := range map[string]struct {
		confirmer      Confirmer
		stream, origin string // begin the line about it
	}{
		"confirmed by the origin": {ConfirmedByOrigin, `"the stream of changes is lost" error=`, `"membership facts are not confirmed and are fresh by age alone: proofs are missing" unproven=[listening] error=`},
		"confirmed by the stream": {ConfirmedByStream, `"membership facts are not confirmed and are fresh by age alone: proofs are missing" unproven=[stream] error=`, `"not listening to changes of the database" error=`},
		"not confirmed":           {ConfirmedByNone, `"the stream of changes is lost" error=`, `"not listening to changes of the database" error=`},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			tracker := NewTracker(Config{Confirmer: c.confirmer, Lease: time.Second, Retention: time.Hour, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			stream, origin := tracker.StreamHandler(), tracker.ChangeHandler()
			lines := func(what func()) string {
				log.Reset()
				what()
				return log.String()
			}
			begin := func() {
				stream.Began(membership.Position{}, membership.Position{}, nil, time.Now())
				origin.Began(time.Now(), "")
			}
			begin()
			for range 2 {
				lost := lines(func() {
					for _, cause := range []string{"refused", "timed out", "refused"} {
						stream.Lost(errors.New("redis " + cause))
						origin.Lost(errors.New("database " + cause))
					}
				})
				assert.Equal(t, 2, strings.Count(lost, "\n"), lost)
				assert.Contains(t, lost, c.stream+`"redis refused"`)
				assert.Contains(t, lost, c.origin+`"database refused"`)
				found := lines(begin)
				assert.Equal(t, 2, strings.Count(found, "\n"), found)
				assert.Equal(t, 2, strings.Count(found, " failures=3"), found)
			}
		})
	}
}
