package pgorigin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

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

// send copies all records into the temporary tables.
func (in *importing) send(ctx context.Context, tx pgx.Tx) error {
	if err := in.copy(ctx, tx, "locations", "id name kind parent model plan", len(in.locations), true, func(i int, row func(...string) error) error {
		l := in.locations[i].Record()
		return row(l.ID, l.Name, l.Kind, l.Parent, l.Model, l.Plan)
	}); err != nil {
		return err
	}
	if err := in.copy(ctx, tx, "users", "id username title given family status default_location last_login", len(in.users), true, func(i int, row func(...string) error) error {
		u := in.users[i].Record()
		login := ""
		if !u.LastLogin.IsZero() {
			login = u.LastLogin.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
		}
		return row(u.ID, u.Username, u.Name.Title, u.Name.Given, u.Name.Family, u.Status, u.DefaultLocation, login)
	}); err != nil {
		return err
	}
	return in.copy(ctx, tx, "assignments", "user_id location role status access profession registration_number", len(in.users), false, func(i int, row func(...string) error) error {
		u := in.users[i].Record()
		for _, a := range u.Assignments {
			if err := row(u.ID, a.Location, a.Role, a.Status, accessJSON(a.Access), a.Profession, a.RegistrationNumber); err != nil {
				return err
			}
		}
		return nil
	})
}

// accessJSON encodes access without absent members; it returns "" for nil.
func accessJSON(a *facts.Access) string {
	if a == nil {
		return ""
	}
	text, _ := json.Marshal(struct {
		Level string          `json:"level,omitempty"`
		Areas map[string]bool `json:"areas,omitempty"`
	}{a.Level, a.Areas}) // these types can always be encoded
	return string(text)
}

// copy sends the rows of n records in the text format of COPY. For each record, each calls row with its rows, one at a
// time. An empty text is NULL.
func (in *importing) copy(ctx context.Context, tx pgx.Tx, table, columns string, n int, counts bool,
	each func(i int, row func(...string) error) error) error {
	source := &copySource{n: n, each: each, about: func(i int) record.Subject {
		if table == "locations" {
			return record.Subject{List: record.LocationList, Index: i, ID: in.locations[i].ID()}
		}
		return record.Subject{List: record.UserList, Index: i, ID: in.users[i].ID()}
	}}
	if counts {
		source.advance = in.advance
	}
	sql := fmt.Sprintf("COPY wardkeeper_%s (%s) FROM STDIN", table, strings.ReplaceAll(columns, " ", ", "))
	_, err := tx.Conn().PgConn().CopyFrom(ctx, source, sql)
	if source.err != nil { // the error of COPY only says that it was aborted
		return source.err
	}
	return err
}

// copySource is an [io.Reader] of rows.
type copySource struct {
	n, at   int
	each    func(i int, row func(...string) error) error
	about   func(i int) record.Subject
	advance func(records int) // nil if these records are counted elsewhere
	ready   []byte
	err     error
}

var copyEscapes = strings.NewReplacer("\\", `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)

func (s *copySource) Read(into []byte) (int, error) {
	for len(s.ready) == 0 {
		if s.err == nil && s.at < s.n {
			s.err = s.each(s.at, s.row)
		}
		if s.err != nil {
			return 0, s.err
		}
		if s.at == s.n {
			return 0, io.EOF
		}
		s.at++
		if s.advance != nil && (s.at%progressInterval == 0 || s.at == s.n) {
			s.advance((s.at-1)%progressInterval + 1)
		}
	}
	n := copy(into, s.ready)
	s.ready = s.ready[n:]
	return n, nil
}

func (s *copySource) row(columns ...string) error {
	for i, c := range columns {
		if strings.ContainsRune(c, 0) {
			return &unstorableError{s.about(s.at)}
		}
		if i > 0 {
			s.ready = append(s.ready, '\t')
		}
		if c == "" {
			c = `\N`
		} else {
			c = copyEscapes.Replace(c)
		}
		s.ready = append(s.ready, c...)
	}
	s.ready = append(s.ready, '\n')
	return nil
}
