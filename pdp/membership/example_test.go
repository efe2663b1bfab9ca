package membership_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/cache"
)

// mapOrigin is an in-memory origin: records by id.
type mapOrigin struct{ users, organizations map[string]string }

func (o mapOrigin) User(_ context.Context, id string) (*membership.RawRecord, error) {
	return found(o.users[id]), nil
}

func (o mapOrigin) Organization(_ context.Context, location string) (*membership.RawRecord, error) {
	return found(o.organizations[location]), nil
}

// found returns nil for a record that does not exist, which is not an error.
func found(record string) *membership.RawRecord {
	if record == "" {
		return nil
	}
	return &membership.RawRecord{Record: []byte(record)}
}

func (o mapOrigin) UserByUsername(context.Context, string) ([]membership.RawRecord, error) {
	return nil, errors.ErrUnsupported
}

func (o mapOrigin) Users(context.Context, facts.UserQuery) (membership.RawUsers, error) {
	return membership.RawUsers{}, errors.ErrUnsupported
}

func (o mapOrigin) Locations(context.Context, string, int) ([]string, error) {
	return nil, errors.ErrUnsupported
}

func (o mapOrigin) Check(context.Context) error { return nil }

func (o mapOrigin) Close() error { return nil }

// An origin behind a cache is a source for the engine.
func ExampleOrigin() {
	source, err := cache.Open(cache.Config{
		Origin: mapOrigin{
			users: map[string]string{
				"jane": `{"id": "jane", "assignments": [{"location": "acme", "role": "vendor_staff"}]}`,
			},
			organizations: map[string]string{
				"acme": `[{"id": "acme", "kind": "vendor", "model": "vendor"}]`,
			},
		},
		Vocabulary: pdp.Vocabulary{Roles: map[string][]string{"vendor": {"vendor_staff"}}},
	})
	if err != nil {
		panic(err)
	}
	defer source.Close()

	ctx := context.Background()
	view, err := source.View(ctx, facts.Requirement{})
	if err != nil {
		panic(err)
	}
	for _, id := range []string{"jane", "joe"} {
		switch user, err := view.User(ctx, id); {
		case err != nil:
			fmt.Println(id, "cannot be read:", err)
		case user == nil:
			fmt.Println(id, "does not exist")
		default:
			fmt.Println(id, "is", user.Record().Assignments[0].Role)
		}
	}
	// Output:
	// jane is vendor_staff
	// joe does not exist
}
