package facts

import "errors"

// Suspended is the error for a record that breaks a rule of policies/DOMAIN.md section 1. It still carries what is known of
// the record, so that a question of another organization, which must not learn of the fault, can be answered.
type Suspended struct {
	// User is the user as far as the record could be joined, with the organizations in which it is suspended. It is nil if
	// nothing is known, or a location was asked for.
	User *User
	// Location is the location that was asked for, right beneath the root of its organization; nil if a user was asked for.
	Location *Location
	Err      error
}

func (s *Suspended) Error() string { return s.Err.Error() }

// Unwrap returns the fault.
func (s *Suspended) Unwrap() error { return s.Err }

// NewSuspendedUser makes a user from a record with faults. faults is keyed by the organization that may know of the fault;
// a fault of the whole record has the key [AnyOrganization]. Assignments at locations that locate does not know are left
// out.
func NewSuspendedUser(rec UserRecord, version uint64, locate func(id string) *Location, faults map[string]error) *User {
	var known []AssignmentRecord
	for _, a := range rec.Assignments {
		if locate(a.Location) != nil {
			known = append(known, a)
		}
	}
	rec.Assignments = known
	u, _ := NewUser(rec, version, locate) // locate knows each location
	u.faults = faults
	return u
}

// NewSuspendedLocation makes a location from what is known of one whose organization has faults.
func NewSuspendedLocation(root, at LocationRecord) *Location {
	root.Parent, at.Parent = "", root.ID
	top := NewLocation(root, nil, 0)
	if at.ID == root.ID {
		return top
	}
	return NewLocation(at, top, 0)
}

// SuspendedIn returns the fault for which a user must not be used in an organization, or nil if there is none that the
// organization may know of. In [AnyOrganization], any fault counts.
func (u *User) SuspendedIn(organization string) error {
	if err := u.faults[AnyOrganization]; err != nil {
		return err
	}
	if organization != AnyOrganization {
		return u.faults[organization]
	}
	for _, err := range u.faults {
		return err
	}
	return nil
}

// user accepts what is known of a suspended user. Whether the fault counts is known only once the organization whose rules
// apply is known.
func (f *Facts) user(u *User, err error) (*User, error) {
	s, ok := errors.AsType[*Suspended](err)
	switch {
	case !ok || !f.builder.Lenient:
		return u, err
	case s.User == nil:
		u = &User{faults: map[string]error{AnyOrganization: err}}
	default:
		u = s.User
	}
	if f.userErrors == nil {
		f.userErrors = make(map[*User]error, 1)
	}
	f.userErrors[u] = err
	return u, nil
}

// suspendedIn is [User.SuspendedIn] with the source's own error where there is one.
func (f *Facts) suspendedIn(organization string, u *User) error {
	if err := u.SuspendedIn(organization); err == nil || f.userErrors[u] == nil {
		return err
	}
	return f.userErrors[u]
}

// suspendedLocation is a location that the question names and whose organization has faults.
type suspendedLocation struct {
	at  *Location
	err error
}

// location accepts what is known of a location of a suspended organization.
func (f *Facts) location(l *Location, err error) (*Location, error) {
	s, ok := errors.AsType[*Suspended](err)
	if !ok || !f.builder.Lenient || s.Location == nil {
		return l, err
	}
	f.suspended = append(f.suspended, suspendedLocation{s.Location, err})
	return s.Location, nil
}

// checkSubject fails if the subject is suspended in an organization, or belongs to a suspended organization that the
// question names. The subject is entitled to know, and the question cannot be answered.
func (f *Facts) checkSubject(organization string) error {
	if f.Subject == nil {
		return nil
	}
	if err := f.suspendedIn(organization, f.Subject); err != nil {
		return err
	}
	for _, s := range f.suspended {
		if f.Subject.BelongsTo(s.at.Organization()) {
			return s.err
		}
	}
	return nil
}

// Fault returns the fault of a record that the question is about, or nil if there is none. A denial may still be given,
// provided that it reveals nothing of the user if UserFault is not nil; any other answer must be withheld.
func (f *Facts) Fault() error {
	if f.userFault == nil && len(f.suspended) > 0 {
		return f.suspended[0].err
	}
	return f.userFault
}

// UserFault returns the fault of the user that the question is about, or nil if there is none.
func (f *Facts) UserFault() error { return f.userFault }
