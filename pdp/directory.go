package pdp

import "context"

// Source is where membership facts come from: the policy information point. Implementations are safe for concurrent use.
type Source interface {
	// View returns the facts as they stand now, as new as need says. One decision, one batch and one page of a search each
	// read one view, and so never see a record in two states. It fails with an [*Error] of kind [Unavailable] when no
	// trustworthy facts can be had, and of kind [Invalid] where need has a token that is none. The context ends when View
	// has returned: each call on the view brings its own.
	View(ctx context.Context, need Need) (View, error)
}

// Checker is a source that says by itself whether facts can be had, where the first location that comes says too little of
// the others.
type Checker interface {
	CheckFacts(ctx context.Context) error
}

// View reads one state of the directory. An unknown id is (nil, nil), never an error; an error means that the fact
// could not be learned, and the question that needs it is not answered. Safe for concurrent use.
type View interface {
	Location(ctx context.Context, id string) (*Location, error)
	// User finds an account by id. Ids are compared byte by byte.
	User(ctx context.Context, id string) (*User, error)
	// UserByUsername finds an account by what its person signs in with, without regard to case.
	UserByUsername(ctx context.Context, username string) (*User, error)
	// Users pages through the users that have an assignment, of whatever status, at or beneath a location.
	// An unknown location has none.
	Users(ctx context.Context, q UserQuery) (Users, error)
	// Locations pages through locations by ascending id.
	Locations(ctx context.Context, q LocationQuery) ([]*Location, error)
	// UserFact says how new a user is that this view has given, and OrganizationFact the location tree of a root.
	UserFact(u *User) Fact
	OrganizationFact(root *Location) Fact
}

// SortKey names an order of users (DOMAIN.md section 8).
type SortKey string

// The orders a list of users can have. Case-folded code points, absent last and ties by ascending id, in both directions.
const (
	SortName            SortKey = "name" // family, then given
	SortUsername        SortKey = "username"
	SortDefaultLocation SortKey = "default_location"
	SortLastLogin       SortKey = "last_login"
)

// UserQuery asks for a stretch of the users covered by a location.
type UserQuery struct {
	Beneath    string  // at or beneath this location; "" means the whole directory
	Sort       SortKey // "" means SortName
	Descending bool
	Text       string // part of "given family" or of the username, any case; "" matches all
	After      Cursor // the zero Cursor starts at the beginning
	Limit      int    // at most this many; below 1 means 1,000
}

// Cursor is a place in a list of users: behind the user with this id. Where that user is no longer in the list,
// Offset (how many users of the list, unfiltered by text, came up to and including it) is the best guess.
type Cursor struct {
	ID     string
	Offset int
}

// Users is a stretch of a list. More says whether any follow the last of Cursors.
type Users struct {
	Users []*User
	// Cursors has, for each of Users, the place right behind it.
	Cursors []Cursor
	More    bool
}

// LocationQuery asks for a stretch of the locations at or beneath one, by ascending id.
type LocationQuery struct {
	Beneath string // at or beneath this location; "" means the whole directory
	After   string // only ids greater than this
	Limit   int    // at most this many; below 1 means 1,000
}
