package survey

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// Config says what is surveyed.
type Config struct {
	Origin     membership.Origin
	Vocabulary pdp.Vocabulary
	// Patience bounds each question; 0 means a minute.
	Patience time.Duration
	// Progress, which may be nil, is told after each page how many records have been read so far.
	Progress func(records int)
}

// Result counts what was read.
type Result struct {
	Locations, Organizations, Users int
}

// Run reads all records of an origin, holds them to every rule of policies/DOMAIN.md section 1, and the origin to its contract.
// What is at fault is in a [*record.Faults]; another error means that not everything could be read. All locations are kept while
// users are read a page at a time; of each user, two hashes are kept.
func Run(ctx context.Context, cfg Config) (Result, error) {
	if cfg.Patience <= 0 {
		cfg.Patience = time.Minute
	}
	if cfg.Progress == nil {
		cfg.Progress = func(int) {}
	}
	s := &survey{
		Config: cfg, judge: record.NewValidator(cfg.Vocabulary), faults: &record.Faults{},
		places: map[string]*record.Location{}, ids: map[textHash]bool{}, usernames: map[textHash]bool{},
	}
	for _, part := range []func(context.Context) error{s.unknown, s.locations, s.users} {
		err := part(ctx)
		if err != nil && !s.breach(record.Subject{}, err) {
			return s.found, err
		}
		if errors.Is(err, membership.ErrSchema) {
			break // whatever is asked
		}
	}
	return s.found, s.faults.Err()
}

// breach says whether an error is a fault of the source, which answered, and counts it as one. Any other means that it could
// not be read.
func (s *survey) breach(about record.Subject, err error) bool {
	if !errors.Is(err, membership.ErrContract) {
		return false
	}
	var wrapped *pdp.Error
	if errors.As(err, &wrapped) && wrapped.Err != nil {
		err = wrapped.Err
	}
	s.fault(about, "%v", err)
	return true
}

type textHash [16]byte

func hashOf(text string) textHash {
	sum := sha256.Sum256([]byte(text))
	return textHash(sum[:16])
}

type survey struct {
	Config
	judge  *record.Validator
	faults *record.Faults
	found  Result

	places         map[string]*record.Location
	ids, usernames map[textHash]bool

	versions [record.Lists]versions
}

// versions says of the records of one list whether any has a version, and has none.
type versions struct{ some, none bool }

const surveyPage = 1000

// ask asks within the patience.
func (s *survey) ask(ctx context.Context, question func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.Patience)
	defer cancel()
	return question(ctx)
}

func (s *survey) fault(about record.Subject, format string, args ...any) {
	s.faults.Add(about, format, args...)
}

func (s *survey) version(about record.Subject, version uint64) {
	v := &s.versions[about.List]
	mixed := v.some && v.none
	v.some, v.none = v.some || version > 0, v.none || version == 0
	if v.some && v.none && !mixed {
		s.fault(about, "some of the %s have a version, and some have none", about.List)
	}
}

// unknown asks for what nobody has.
func (s *survey) unknown(ctx context.Context) error {
	id := "no such id " + rand.Text()
	return s.ask(ctx, func(ctx context.Context) error {
		u, err := s.Origin.User(ctx, id)
		if err != nil {
			return err
		}
		tree, err := s.Origin.Organization(ctx, id)
		if err != nil {
			return err
		}
		named, err := s.Origin.UserByUsername(ctx, id)
		if err != nil {
			return err
		}
		for _, one := range []struct {
			what  string
			there bool
		}{{"a user of an id", u != nil}, {"an organization of a location", tree != nil}, {"a user of a username", len(named) > 0}} {
			if one.there {
				s.fault(record.Subject{}, "the source gives %s that is nobody's", one.what)
			}
		}
		return nil
	})
}

// locations reads every organization once, and checks how all locations fit together.
func (s *survey) locations(ctx context.Context) error {
	in := &record.Document{}
	seen := map[string]bool{}
	for after := ""; ; {
		var ids []string
		if err := s.ask(ctx, func(ctx context.Context) (err error) {
			ids, err = s.Origin.Locations(ctx, after, surveyPage)
			return err
		}); err != nil {
			return err
		}
		for _, id := range ids {
			about := record.Subject{List: record.LocationList, Index: len(in.Locations), ID: id}
			if id <= after {
				s.fault(about, "the list of locations is not in ascending order, byte by byte, each there once")
				return nil // it would have no end
			}
			after = id
			if seen[id] {
				continue
			}
			if err := s.organization(ctx, about, in, seen); err != nil {
				return err
			}
		}
		s.Progress(s.found.Locations)
		if len(ids) < surveyPage {
			break
		}
	}
	s.places = s.judge.CheckLocations(in.Locations, s.faults)
	return nil
}

func (s *survey) organization(ctx context.Context, about record.Subject, in *record.Document, seen map[string]bool) error {
	var sent *membership.RawRecord
	if err := s.ask(ctx, func(ctx context.Context) (err error) {
		sent, err = s.Origin.Organization(ctx, about.ID)
		return err
	}); err != nil {
		if s.breach(about, err) {
			return nil
		}
		return err
	}
	if sent == nil {
		s.fault(about, "it is in the list of locations, and in no organization")
		return nil
	}
	s.version(about, sent.Version)
	s.found.Organizations++
	drafts, faults, err := s.judge.Locations(s.judge.Tokens(sent.Record))
	if err != nil {
		s.fault(about, "its organization: %v", err)
		return nil
	}
	s.faults.Join(faults)
	roots, has := 0, false
	for i := range drafts {
		l := &drafts[i]
		l.About.Index = len(in.Locations)
		in.Locations = append(in.Locations, *l)
		seen[l.ID] = true
		has = has || l.ID == about.ID
		if l.Parent == "" {
			roots++
		}
	}
	s.found.Locations += len(drafts)
	if !has {
		s.fault(about, "the organization that the source gives for it does not have it")
	}
	if roots != 1 {
		s.fault(about, "its organization has %d roots", roots)
	}
	return nil
}

// users reads all users, a page at a time.
func (s *survey) users(ctx context.Context) error {
	q := facts.UserQuery{Sort: facts.SortName, Limit: surveyPage}
	for {
		var page membership.RawUsers
		if err := s.ask(ctx, func(ctx context.Context) (err error) {
			page, err = s.Origin.Users(ctx, q)
			return err
		}); err != nil {
			return err
		}
		for i, sent := range page.Users {
			u := s.user(sent)
			if i == 0 && u != nil {
				if err := s.single(ctx, u); err != nil {
					return err
				}
			}
		}
		s.Progress(s.found.Locations + s.found.Users)
		if !page.More {
			return nil
		}
		last := len(page.Users) - 1
		if last < 0 || len(page.Offsets) != len(page.Users) || page.Offsets[last] <= q.After.Offset {
			s.fault(record.Subject{}, "the list of users does not go on")
			return nil
		}
		q.After = facts.Cursor{ID: record.IDOf(page.Users[last].Record), Offset: page.Offsets[last]}
	}
}

// user checks one user by what is known of all locations. It gives nil for one of whom nothing can be known.
func (s *survey) user(sent membership.RawRecord) *record.User {
	about := record.Subject{List: record.UserList, Index: s.found.Users, ID: record.IDOf(sent.Record)}
	s.found.Users++
	s.version(about, sent.Version)
	u, shape, err := s.judge.User(s.judge.Tokens(sent.Record))
	if err != nil {
		s.fault(about, "%v", err)
		return nil
	}
	u.About.Index = about.Index
	s.faults.Join(shape)
	s.judge.CheckUser(u, s.places, s.faults)
	id := hashOf(u.ID)
	if s.ids[id] {
		s.fault(u.About, "another user has this id")
	}
	s.ids[id] = true
	if u.Username != "" && u.Username != record.Unreadable {
		name := hashOf(facts.FoldCanonical(u.Username))
		if s.usernames[name] {
			s.fault(u.About, "another user has this username")
		}
		s.usernames[name] = true
	}
	return u
}

// single asks for a listed user alone: the answer is the same.
func (s *survey) single(ctx context.Context, u *record.User) error {
	same := func(sent *membership.RawRecord) bool {
		if sent == nil {
			return false
		}
		other, _, err := s.judge.User(s.judge.Tokens(sent.Record))
		return err == nil && other.ID == u.ID && record.SameUser(other.UserRecord, u.UserRecord)
	}
	return s.ask(ctx, func(ctx context.Context) error {
		sent, err := s.Origin.User(ctx, u.ID)
		if err != nil {
			return err
		}
		if !same(sent) {
			s.fault(u.About, "the source does not give the same record by its id")
		}
		if !facts.IsUsername(u.Username) {
			return nil
		}
		named, err := s.Origin.UserByUsername(ctx, facts.FoldCanonical(u.Username))
		if err != nil {
			return err
		}
		found := false
		for i := range named {
			found = found || same(&named[i])
		}
		if !found {
			s.fault(u.About, "the source does not give the same record by its username, without regard to case and composition")
		}
		return nil
	})
}
