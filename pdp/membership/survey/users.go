package survey

import (
	"context"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// maxStalled is how many pages without anybody new may follow each other: those whose records cannot be read are not known again.
const maxStalled = 100

// users reads all users: in one go if the origin can, a page at a time otherwise.
func (s *survey) users(ctx context.Context) error {
	if whole, ok := s.Origin.(membership.Snapshot); ok {
		return whole.AllUsers(ctx, func(raw membership.RawRecord) error {
			if _, err := s.user(raw); err != nil {
				return err
			}
			if s.found.Users%pageSize == 0 {
				s.Progress(s.found.Locations + s.found.Users)
			}
			return nil
		})
	}
	q, stalled := facts.UserQuery{Sort: facts.SortName, Limit: pageSize}, 0
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
			u, err := s.user(raw)
			if err != nil {
				return err
			}
			if u != nil {
				last = q.Sort.CursorAfter(&u.UserRecord)
			}
			if i == 0 && u != nil && s.kept == nil {
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
		if stalled++; len(s.ids) > before {
			stalled = 0
		}
		if last == q.After || stalled > 0 && page.Next.ID == "" || stalled > maxStalled {
			return errNoAdvance
		}
		q.After = last
	}
}

// user checks one user against all locations. It returns nil if the record cannot be read.
func (s *survey) user(raw membership.RawRecord) (*record.User, error) {
	before := s.faults.Count()
	about := record.Subject{List: record.UserList, Index: s.found.Users}
	s.found.Users++
	u, faults, err := s.validator.RawUser(raw)
	if err != nil {
		about.ID = record.IDOf(raw)
		if raw.Fault == nil {
			s.version(about, raw.Version)
		}
		s.fault(about, "%v", err)
		if s.kept != nil {
			s.kept.twice[about.ID] = true // another record of the same id is no better
		}
		return nil, s.keepUser(raw, nil)
	}
	u.About.Index = about.Index
	s.version(u.About, raw.Version)
	s.faults.Join(faults)
	s.validator.CheckUser(u, s.byID, s.faults)
	s.checkKept(u)
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
	if s.faults.Count() > before {
		return u, s.keepUser(raw, nil)
	}
	return u, s.keepUser(raw, u)
}

// sameAlone checks that the origin also returns a listed user by id and by username.
func (s *survey) sameAlone(ctx context.Context, u *record.User) error {
	same := func(raw *membership.RawRecord) bool {
		if raw == nil {
			return false
		}
		other, _, err := s.validator.RawUser(*raw)
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
