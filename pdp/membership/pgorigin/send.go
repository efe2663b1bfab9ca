package pgorigin

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

const progressInterval = 1000 // records

// unstorableError names a record that PostgreSQL cannot store.
type unstorableError struct{ about record.Subject }

func (e *unstorableError) Error() string {
	return e.about.String() + "a text contains NUL, which PostgreSQL cannot store"
}

// send copies all records into the temporary tables. An empty text becomes NULL.
func (in *importing) send(ctx context.Context, tx pgx.Tx) error {
	if err := in.copy(ctx, tx, "locations", "id name kind parent model plan", pgx.CopyFromSlice(len(in.locations), func(i int) ([]any, error) {
		l := in.locations[i].Record()
		in.sent(i, len(in.locations))
		return in.row(record.Subject{List: record.LocationList, Index: i, ID: l.ID}, l.ID, l.Name, l.Kind, l.Parent, l.Model, l.Plan)
	})); err != nil {
		return err
	}
	if err := in.copy(ctx, tx, "users", "id username title given family status default_location last_login", pgx.CopyFromSlice(len(in.users), func(i int) ([]any, error) {
		u := in.users[i].Record()
		in.sent(i, len(in.users))
		columns, err := in.row(in.user(i), u.ID, u.Username, u.Name.Title, u.Name.Given, u.Name.Family, u.Status, u.DefaultLocation)
		if u.LastLogin.IsZero() {
			return append(columns, nil), err
		}
		return append(columns, u.LastLogin), err
	})); err != nil {
		return err
	}
	user, next := 0, 0
	return in.copy(ctx, tx, "assignments", "user_id location role status profession registration_number access", pgx.CopyFromFunc(func() ([]any, error) {
		for user < len(in.users) && next == len(in.users[user].Record().Assignments) {
			user, next = user+1, 0
		}
		if user == len(in.users) {
			return nil, nil
		}
		a := in.users[user].Record().Assignments[next]
		next++
		columns, err := in.row(in.user(user), in.users[user].ID(), a.Location, a.Role, a.Status, a.Profession, a.RegistrationNumber)
		return append(columns, accessJSON(a.Access)), err
	}))
}

func (in *importing) user(i int) record.Subject {
	return record.Subject{List: record.UserList, Index: i, ID: in.users[i].ID()}
}

// sent counts the records that have been sent, up to and including number i of n.
func (in *importing) sent(i, n int) {
	if i++; i%progressInterval == 0 || i == n {
		in.advance((i-1)%progressInterval + 1)
	}
}

// accessJSON encodes access without absent members; it returns nil for nil.
func accessJSON(a *facts.Access) []byte {
	if a == nil {
		return nil
	}
	text, _ := json.Marshal(struct {
		Level string          `json:"level,omitempty"`
		Areas map[string]bool `json:"areas,omitempty"`
	}{a.Level, a.Areas}) // these types can always be encoded
	return text
}

// row returns texts as columns, and nil for an empty one.
func (in *importing) row(about record.Subject, texts ...string) ([]any, error) {
	columns := make([]any, len(texts), len(texts)+1)
	for i, text := range texts {
		switch {
		case strings.ContainsRune(text, 0):
			in.unstorable = &unstorableError{about}
			return nil, in.unstorable
		case text != "":
			columns[i] = text
		}
	}
	return columns, nil
}

func (in *importing) copy(ctx context.Context, tx pgx.Tx, table, columns string, rows pgx.CopyFromSource) error {
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"wardkeeper_" + table}, strings.Fields(columns), rows)
	if in.unstorable != nil { // the error of COPY only says that it was aborted
		return in.unstorable
	}
	return err
}
