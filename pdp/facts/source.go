package facts

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Source is where membership facts come from: the policy information point. Implementations are safe for concurrent use.
type Source interface {
	// View returns the facts as they are now, at least as fresh as required. One decision, one batch and one page of a
	// search each read one view, and so never see a record in two states. The error is a pdp.Error: of kind Unavailable if
	// no trustworthy facts are available, and of kind Invalid if the requirement has a malformed or unknown token. ctx
	// bounds only the call to View: each call on the view has its own context.
	View(ctx context.Context, r Requirement) (View, error)
}

// View reads one state of the directory. For an unknown id it returns nil and no error; an error means that the fact could
// not be obtained, and that the question which needs it is not answered. It is safe for concurrent use.
type View interface {
	Location(ctx context.Context, id string) (*Location, error)
	// User finds a user by id. Ids are compared byte by byte.
	User(ctx context.Context, id string) (*User, error)
	// UserByUsername finds a user by username, without regard to case.
	UserByUsername(ctx context.Context, username string) (*User, error)
	// Users pages through the users that have an assignment of any status at or beneath a location. An unknown location has
	// none.
	Users(ctx context.Context, q UserQuery) (Users, error)
	// Locations pages through locations by ascending id.
	Locations(ctx context.Context, q LocationQuery) ([]*Location, error)
	// UserFreshness returns how fresh a user of this view is, and OrganizationFreshness how fresh the location tree of a
	// root is.
	UserFreshness(u *User) Freshness
	OrganizationFreshness(root *Location) Freshness
}

// Requirement is how fresh facts must be. The zero value is the strictest.
type Requirement struct {
	// ReadOnly is for questions about actions that change nothing, whose facts may be older than those of a change.
	ReadOnly bool
	// Current asks for facts that the source is asked for after the call to View: what is known already does not count.
	Current bool
	// AtLeast has the tokens of announced changes that the facts must include.
	AtLeast []string
}

// Freshness is how fresh a record is.
type Freshness struct {
	Version   uint64    // of the record: grows with every change
	AsOf      time.Time // the source had the record in this state at this time or later
	Confirmed bool      // the record is current, provided that every change is announced
}

// SortKey names an order of users (policies/DOMAIN.md section 8).
type SortKey string

// The orders of a list of users. Each compares case-folded code points; absent values come last and ties go by ascending
// id, in both directions.
const (
	SortName            SortKey = "name" // family, then given
	SortUsername        SortKey = "username"
	SortDefaultLocation SortKey = "default_location"
	SortLastLogin       SortKey = "last_login"
)

// UserQuery asks for some of the users at or beneath a location.
type UserQuery struct {
	Beneath    string  // at or beneath this location; "" means the whole directory
	Sort       SortKey // "" means SortName
	Descending bool
	Text       string // part of "given family" or of the username, in any case; "" matches all
	Only       Only   // a source may return others too
	After      Cursor // the zero Cursor starts at the beginning
	Limit      int    // at most this many; below 1 means 1,000
}

// Only says more of the users that are asked for, so that a source need not return those who cannot be hits. The caller
// decides about each user all the same. A source goes by what its records say, and returns a user whose status is no status.
type Only struct {
	Status   string    // of the account, [StatusActive] or [StatusDeactivated]; "" is either
	Assigned *Assigned // nil: whatever the assignments are
}

// Assigned describes one assignment that each user has.
type Assigned struct {
	Locations []string // at one of these, itself and not beneath; nil: anywhere
	Beneath   string   // or at or beneath this location; "" for none
	Roles     []string // with one of these roles; nil: any
	Active    bool     // whose status is active
}

// Admits reports whether a user is one of those asked for.
func (o *Only) Admits(u *User) bool {
	if o.Status != "" && cmp.Or(u.rec.Status, StatusActive) != o.Status {
		return false
	}
	return o.Assigned == nil || slices.ContainsFunc(u.assignments, o.Assigned.matches)
}

func (a *Assigned) matches(held Assignment) bool {
	return (a.Locations == nil || slices.Contains(a.Locations, held.Location) || a.Beneath != "" && held.At.CoveredBy(a.Beneath)) &&
		(a.Roles == nil || slices.Contains(a.Roles, held.Role)) &&
		(!a.Active || cmp.Or(held.Status, StatusActive) == StatusActive)
}

// Cursor is a position in a list of users: right after a user with this id and these values, whether or not there is one
// any more. So whatever happens to the last user of a page, the next page neither repeats nor skips anybody else.
type Cursor struct {
	ID string // "" is the beginning of the list
	// First and Second are what the list is sorted by, not yet folded: family and given name, or the one value. "" is an
	// absent value, and stands for a default location in another organization. Times are RFC 3339 in UTC.
	First, Second string
}

// CursorAfter returns the position right after a user in a list of a whole directory.
func (key SortKey) CursorAfter(u *UserRecord) Cursor {
	c := Cursor{ID: u.ID}
	switch key {
	case SortUsername:
		c.First = u.Username
	case SortDefaultLocation:
		c.First = u.DefaultLocation
	case SortLastLogin:
		if !u.LastLogin.IsZero() {
			c.First = u.LastLogin.UTC().Format(time.RFC3339Nano)
		}
	default:
		c.First, c.Second = u.Name.Family, u.Name.Given
	}
	return c
}

// Users is part of a list.
type Users struct {
	Users   []*User
	Cursors []Cursor // the position right after each of Users
	// Suspended are the ids of users of the list by whom nothing may be decided, each with the number of Users before it.
	Suspended []SuspendedUser
	More      bool // the list continues after Next
	// Next is behind all users that were looked at. A source bounds the work of a query, and so can find fewer users than
	// the limit, even none, before the end of the list.
	Next Cursor
}

// SuspendedUser is the place in a list of a user who cannot be used, because the record breaks a rule of the directory.
type SuspendedUser struct {
	ID     string
	Before int // Users that come before
}

// LocationQuery asks for some of the locations at or beneath a location, by ascending id.
type LocationQuery struct {
	Beneath string // at or beneath this location; "" means the whole directory
	After   string // only ids greater than this
	Limit   int    // at most this many; below 1 means 1,000
}
