package sampledata

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// MaxUsers is the maximum number of users of a generated directory. A directory file reaches its maximum size at about a
// million users; larger directories are for other sources.
const MaxUsers = 10_000_000

// Config configures [Write].
type Config struct {
	Users int // 0 to MaxUsers
	Seed  uint64
	// Format is the format of the document, which has one record per line. Auto means JSON.
	Format record.Format
	// Vocabulary contains the roles, levels and areas to assign. If a list is nil, that of policies/DOMAIN.md is used.
	Vocabulary pdp.Vocabulary
	// Progress, unless nil, is called after every thousand users with the number of users written. Write calls it from its own
	// goroutine.
	Progress func(users int)
}

// Counts is the size of a generated directory.
type Counts struct {
	Organizations, Locations, Users int
}

// Write generates a directory and writes it to w. The bytes depend only on the seed, the number of users, the format and
// the vocabulary. The directory has organizations of every model and satisfies every rule of
// policies/DOMAIN.md section 1. Write streams the records, so its memory grows only with the number of organizations. It
// returns an error if the config is invalid, if writing fails, or if the context is done; the counts are then those of
// the records generated so far.
func Write(ctx context.Context, w io.Writer, cfg Config) (Counts, error) {
	if cfg.Users < 0 || cfg.Users > MaxUsers {
		return Counts{}, fmt.Errorf("cannot generate a directory of %d users: the number must be from 0 to %d", cfg.Users, MaxUsers)
	}
	source := &rand.PCG{}
	g := &generator{
		ctx:      ctx,
		cfg:      cfg,
		source:   source,
		Rand:     rand.New(source),
		offers:   newOffers(cfg.Vocabulary),
		out:      newRecordWriter(w, cfg.Format),
		progress: cfg.Progress,
	}
	g.reseed(planStream, 0)
	g.plan()
	if err := g.writeLocations(); err != nil {
		return g.counts, err
	}
	return g.counts, g.writeUsers()
}

// generator generates one directory.
type generator struct {
	*rand.Rand
	source *rand.PCG

	ctx           context.Context
	cfg           Config
	offers        *offers
	organizations []plannedOrganization
	groups        []int // indexes of the practice groups
	out           *recordWriter
	user          facts.UserRecord // the user being generated
	counts        Counts
	progress      func(int)
}

// The streams of random numbers. Each organization has its own stream for its locations and for its users, so that
// neither depends on what was generated before.
const (
	planStream = iota
	locationStream
	userStream
)

// reseed restarts a stream of an organization.
func (g *generator) reseed(stream, organization int) {
	g.source.Seed(g.cfg.Seed, uint64(stream)<<32|uint64(organization))
}

// chance returns true with a probability given in thousandths.
func (g *generator) chance(perMille int) bool { return g.IntN(1000) < perMille }

// between returns a number from least to most, both included.
func (g *generator) between(least, most int) int { return least + g.IntN(most-least+1) }

// pick returns one of several words.
func (g *generator) pick(words []string) string { return words[g.IntN(len(words))] }

func (g *generator) writeLocations() error {
	g.out.open(record.LocationList.String(), false)
	for i := range g.organizations {
		if err := g.ctx.Err(); err != nil {
			return err
		}
		o := &g.organizations[i]
		g.reseed(locationStream, i)
		g.counts.Organizations++
		g.counts.Locations += 1 + o.divisions + o.places
		g.generateLocations(o)
	}
	return g.out.close(false)
}

func (g *generator) writeUsers() error {
	g.out.open(record.UserList.String(), g.cfg.Users == 0)
	for i := range g.organizations {
		o := &g.organizations[i]
		g.reseed(userStream, i)
		for member := range o.users {
			g.counts.Users++
			g.generateUser(o, member)
			g.out.user(&g.user)
			if g.counts.Users%1000 > 0 {
				continue
			}
			if err := errors.Join(g.ctx.Err(), g.out.err()); err != nil {
				return err
			}
			if g.progress != nil {
				g.progress(g.counts.Users)
			}
		}
	}
	return g.out.close(true)
}
