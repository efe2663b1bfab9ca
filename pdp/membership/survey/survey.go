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

// Config configures a survey.
type Config struct {
	Origin     membership.Origin
	Vocabulary pdp.Vocabulary
	// Timeout limits each call of the origin; 0 means a minute.
	Timeout time.Duration
	// Progress is called after each page with the number of records read so far. It may be nil.
	Progress func(records int)
}

// Result counts what was read.
type Result struct {
	Locations, Organizations, Users int
}

// Run reads all records of an origin. It checks the records against policies/DOMAIN.md section 1, and the origin against
// its contract. It returns the faults as a [*record.Faults]. Any other error means that not everything could be read.
// Run keeps all locations in memory, but only two hashes of each user.
func Run(ctx context.Context, cfg Config) (Result, error) {
	if cfg.Timeout <= 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.Progress == nil {
		cfg.Progress = func(int) {}
	}
	s := &survey{
		Config: cfg, validator: record.NewValidator(cfg.Vocabulary), faults: &record.Faults{},
		byID: map[string]*record.Location{}, ids: map[textHash]bool{}, usernames: map[textHash]bool{},
	}
	for _, check := range []func(context.Context) error{s.missing, s.locations, s.users} {
		err := check(ctx)
		if err != nil && !s.contractFault(record.Subject{}, err) {
			return s.found, err
		}
		if errors.Is(err, membership.ErrSchema) {
			break // every call would fail
		}
	}
	return s.found, s.faults.Err()
}

// contractFault reports whether the origin violated its contract, and adds a fault in that case. Any other error means
// that the origin could not be read.
func (s *survey) contractFault(about record.Subject, err error) bool {
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
	validator *record.Validator
	faults    *record.Faults
	found     Result

	byID           map[string]*record.Location
	ids, usernames map[textHash]bool

	versions [record.Lists]versionUse
}

// versionUse records whether any record of a list has a version, and whether any has none.
type versionUse struct{ some, none bool }

const pageSize = 1000

// call calls the origin with the timeout.
func (s *survey) call(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	return f(ctx)
}

func (s *survey) fault(about record.Subject, format string, args ...any) {
	s.faults.Add(about, format, args...)
}

// version adds a fault once per list if only some of its records have a version.
func (s *survey) version(about record.Subject, version uint64) {
	v := &s.versions[about.List]
	mixed := v.some && v.none
	v.some, v.none = v.some || version > 0, v.none || version == 0
	if v.some && v.none && !mixed {
		s.fault(about, "some of the %s have a version, and some have none", about.List)
	}
}

// missing checks that the origin has no records for an id that does not exist.
func (s *survey) missing(ctx context.Context) error {
	id := "no such id " + rand.Text()
	return s.call(ctx, func(ctx context.Context) error {
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
		for _, c := range []struct {
			what  string
			found bool
		}{{"a user for an id", u != nil}, {"an organization for a location", tree != nil}, {"a user for a username", len(named) > 0}} {
			if c.found {
				s.fault(record.Subject{}, "the source returns %s that does not exist", c.what)
			}
		}
		return nil
	})
}

// locations reads every organization once and checks that all locations are consistent.
func (s *survey) locations(ctx context.Context) error {
	document := &record.Document{}
	seen := map[string]bool{}
	for after := ""; ; {
		var ids []string
		if err := s.call(ctx, func(ctx context.Context) (err error) {
			ids, err = s.Origin.Locations(ctx, after, pageSize)
			return err
		}); err != nil {
			return err
		}
		for _, id := range ids {
			about := record.Subject{List: record.LocationList, Index: len(document.Locations), ID: id}
			if id <= after {
				s.fault(about, "the list of locations is not in ascending order by bytes, each id once")
				return nil // the list might never end
			}
			after = id
			if seen[id] {
				continue
			}
			if err := s.organization(ctx, about, document, seen); err != nil {
				return err
			}
		}
		s.Progress(s.found.Locations)
		if len(ids) < pageSize {
			break
		}
	}
	s.byID = s.validator.CheckLocations(document.Locations, s.faults)
	return nil
}

func (s *survey) organization(ctx context.Context, about record.Subject, document *record.Document, seen map[string]bool) error {
	var raw *membership.RawRecord
	if err := s.call(ctx, func(ctx context.Context) (err error) {
		raw, err = s.Origin.Organization(ctx, about.ID)
		return err
	}); err != nil {
		if s.contractFault(about, err) {
			return nil
		}
		return err
	}
	if raw == nil {
		s.fault(about, "it is in the list of locations, but in no organization")
		return nil
	}
	s.version(about, raw.Version)
	s.found.Organizations++
	locations, faults, err := s.validator.Locations(s.validator.Tokens(raw.Record))
	if err != nil {
		s.fault(about, "its organization: %v", err)
		return nil
	}
	s.faults.Join(faults)
	roots, contained := 0, false
	for i := range locations {
		l := &locations[i]
		l.About.Index = len(document.Locations)
		document.Locations = append(document.Locations, *l)
		seen[l.ID] = true
		contained = contained || l.ID == about.ID
		if l.Parent == "" {
			roots++
		}
	}
	s.found.Locations += len(locations)
	if !contained {
		s.fault(about, "the organization that the source returns for it does not contain it")
	}
	if roots != 1 {
		s.fault(about, "its organization has %d roots", roots)
	}
	return nil
}

// users reads all users, a page at a time.
func (s *survey) users(ctx context.Context) error {
	q := facts.UserQuery{Sort: facts.SortName, Limit: pageSize}
	for {
		var page membership.RawUsers
		if err := s.call(ctx, func(ctx context.Context) (err error) {
			page, err = s.Origin.Users(ctx, q)
			return err
		}); err != nil {
			return err
		}
		before, last := len(s.ids), facts.Cursor{}
		for i, raw := range page.Users {
			u := s.user(raw)
			if u != nil {
				last = q.Sort.CursorAfter(&u.UserRecord)
			}
			if i == 0 && u != nil {
				if err := s.sameAlone(ctx, u); err != nil {
					return err
				}
			}
		}
		s.Progress(s.found.Locations + s.found.Users)
		if !page.More {
			return nil
		}
		if page.Next.ID != "" {
			last = page.Next
		}
		if last == q.After || page.Next.ID == "" && len(s.ids) == before {
			s.fault(record.Subject{}, "the list of users does not advance beyond the last page")
			return nil
		}
		q.After = last
	}
}

// user checks one user against all locations. It returns nil if the record cannot be read.
func (s *survey) user(raw membership.RawRecord) *record.User {
	about := record.Subject{List: record.UserList, Index: s.found.Users, ID: record.IDOf(raw.Record)}
	s.found.Users++
	s.version(about, raw.Version)
	u, faults, err := s.validator.User(s.validator.Tokens(raw.Record))
	if err != nil {
		s.fault(about, "%v", err)
		return nil
	}
	u.About.Index = about.Index
	s.faults.Join(faults)
	s.validator.CheckUser(u, s.byID, s.faults)
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

// sameAlone checks that the origin also returns a listed user by id and by username.
func (s *survey) sameAlone(ctx context.Context, u *record.User) error {
	same := func(raw *membership.RawRecord) bool {
		if raw == nil {
			return false
		}
		other, _, err := s.validator.User(s.validator.Tokens(raw.Record))
		return err == nil && other.ID == u.ID && record.SameUser(other.UserRecord, u.UserRecord)
	}
	return s.call(ctx, func(ctx context.Context) error {
		raw, err := s.Origin.User(ctx, u.ID)
		if err != nil {
			return err
		}
		if !same(raw) {
			s.fault(u.About, "the source does not return the same record by its id")
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
			s.fault(u.About, "the source does not return the same record by its username, which ignores case and Unicode composition")
		}
		return nil
	})
}
