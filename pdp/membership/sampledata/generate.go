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

// MaxGenerated is how many users a generated directory may have. A [directory.File] takes about a million of them, by [directory.MaxSize].
const MaxUsers = 10_000_000

// Config says what directory to make up.
type Config struct {
	Users int // 0 to MaxGenerated
	Seed  uint64
	// Format is JSON for Auto. Both are written one record a line.
	Format record.Format
	// Vocabulary has the roles, levels and areas to give. Where a part is nil, it is that of policies/DOMAIN.md.
	Vocabulary pdp.Vocabulary
	// Progress is told, every thousand users, how many have been written; nil: nobody is. It is called by the goroutine
	// that generates.
	Progress func(users int)
}

// Counts counts what was made up.
type Counts struct {
	Organizations, Locations, Users int
}

// Write makes up a directory of every model and writes it: the same bytes for the same seed, number of users, format
// and vocabulary. It keeps every rule of policies/DOMAIN.md section 1. None of it is kept in memory, but for a few words about
// each organization. The error is of the config, of w, or of the context.
func Write(ctx context.Context, w io.Writer, cfg Config) (Counts, error) {
	if cfg.Users < 0 || cfg.Users > MaxUsers {
		return Counts{}, fmt.Errorf("a directory of %d users cannot be generated: say a whole number from 0 to %d", cfg.Users, MaxUsers)
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
	g.reseed(planning, 0)
	g.plan()
	if err := g.writeLocations(); err != nil {
		return g.made, err
	}
	return g.made, g.writeUsers()
}

// generator makes up one directory.
type generator struct {
	*rand.Rand
	source *rand.PCG

	ctx           context.Context
	cfg           Config
	offers        *offers
	organizations []plannedOrganization
	groups        []int // which of them are practice groups
	out           *recordWriter
	user          facts.UserRecord // the one being made
	made          Counts
	progress      func(int)
}

// The streams of random numbers: an organization has one of its own for each, so that it comes out the same whatever is
// asked of it first.
const (
	planning = iota
	naming
	peopling
)

// reseed begins a stream anew.
func (g *generator) reseed(stream, organization int) {
	g.source.Seed(g.cfg.Seed, uint64(stream)<<32|uint64(organization))
}

// chance is true so many times of a thousand.
func (g *generator) chance(ofThousand int) bool { return g.IntN(1000) < ofThousand }

// between gives a number from least to most, both included.
func (g *generator) between(least, most int) int { return least + g.IntN(most-least+1) }

// pick gives one of several words.
func (g *generator) pick(words []string) string { return words[g.IntN(len(words))] }

func (g *generator) writeLocations() error {
	g.out.open(record.LocationList.String(), false)
	for i := range g.organizations {
		if err := g.ctx.Err(); err != nil {
			return err
		}
		o := &g.organizations[i]
		g.reseed(naming, i)
		g.made.Organizations++
		g.made.Locations += 1 + o.divisions + o.places
		g.locationsOf(o)
	}
	return g.out.close(false)
}

func (g *generator) writeUsers() error {
	g.out.open(record.UserList.String(), g.cfg.Users == 0)
	for i := range g.organizations {
		o := &g.organizations[i]
		g.reseed(peopling, i)
		for member := range o.users {
			g.made.Users++
			g.person(o, member)
			g.out.user(&g.user)
			if g.made.Users%1000 > 0 {
				continue
			}
			if err := errors.Join(g.ctx.Err(), g.out.err); err != nil {
				return err
			}
			if g.progress != nil {
				g.progress(g.made.Users)
			}
		}
	}
	return g.out.close(true)
}
