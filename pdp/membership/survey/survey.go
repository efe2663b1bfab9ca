package survey

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"

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
	s := newSurvey(cfg)
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

func newSurvey(cfg Config) *survey {
	if cfg.Timeout <= 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.Progress == nil {
		cfg.Progress = func(int) {}
	}
	return &survey{
		Config: cfg, validator: record.NewValidator(cfg.Vocabulary), faults: &record.Faults{},
		byID: map[string]*record.Location{}, ids: map[textHash]bool{}, usernames: map[textHash]bool{},
	}
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

	kept *kept // what [Read] keeps; nil otherwise
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
	if s.kept != nil { // it says nothing of the records
		return
	}
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
				return errNotAscending // the list might never end
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
	found := &record.Faults{}
	s.byID = s.validator.CheckLocations(document.Locations, found)
	s.faults.Join(found)
	return s.keepLocations(document.Locations, found)
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
	before := s.faults.Count()
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
	return s.keepOrganization(raw.Record, len(document.Locations)-len(locations), len(document.Locations), s.faults.Count() > before)
}

var (
	errNotAscending = membership.NewContractError("the list of locations is not in ascending order by bytes, each id once")
	errNoAdvance    = membership.NewContractError("the list of users does not advance beyond the last page")
)
