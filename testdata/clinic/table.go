package clinic

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

const schema = `
CREATE TABLE users (id TEXT PRIMARY KEY, username TEXT NOT NULL, given TEXT NOT NULL, family TEXT NOT NULL, status TEXT NOT NULL);
CREATE TABLE roles (user TEXT NOT NULL, location TEXT NOT NULL, role TEXT NOT NULL, PRIMARY KEY (user, location));
CREATE TABLE locations (id TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE sessions (user TEXT NOT NULL);
CREATE TABLE journal (seq INTEGER PRIMARY KEY, entry TEXT NOT NULL);
`

// User is a row of the users table.
type User struct {
	ID       string            `json:"id"`
	Username string            `json:"username"`
	Given    string            `json:"given"`
	Family   string            `json:"family"`
	Status   string            `json:"status"`
	Roles    map[string]string `json:"roles"` // by location
}

// Name returns the full name.
func (u User) Name() string { return strings.TrimSpace(u.Given + " " + u.Family) }

var errNotFound = errors.New("there is no such row")

// Fill creates the tables in an empty database, and copies the users and locations of a directory file into them. Every user
// gets a session.
func Fill(ctx context.Context, db *sql.DB, directory string) error {
	data, err := os.ReadFile(directory)
	if err != nil {
		return err
	}
	var file struct {
		Locations []struct{ ID, Name string }
		Users     []struct {
			ID, Username, Status string
			Name                 struct{ Given, Family string }
			Assignments          []struct{ Location, Role string }
		}
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		return fmt.Errorf("%s: %w", directory, err)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	insert := func(statement string, values ...any) {
		if err == nil {
			_, err = tx.ExecContext(ctx, statement, values...)
		}
	}
	insert(schema)
	for _, l := range file.Locations {
		insert(`INSERT INTO locations VALUES (?, ?)`, l.ID, l.Name)
	}
	for _, u := range file.Users {
		if u.Status == "" {
			u.Status = "active"
		}
		insert(`INSERT INTO users VALUES (?, ?, ?, ?, ?)`, u.ID, u.Username, u.Name.Given, u.Name.Family, u.Status)
		insert(`INSERT INTO sessions VALUES (?)`, u.ID)
		for _, a := range u.Assignments {
			insert(`INSERT INTO roles VALUES (?, ?, ?)`, u.ID, a.Location, a.Role)
		}
	}
	if err != nil {
		return err
	}
	return tx.Commit()
}

// users returns the users with a role at a location or, if it is "", all of them.
func (a *application) users(ctx context.Context, location string) ([]User, error) {
	rows, err := a.db.QueryContext(ctx, `SELECT id, username, given, family, status FROM users
		WHERE ? = '' OR id IN (SELECT user FROM roles WHERE location = ?) ORDER BY id`, location, location)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	users := []User{}
	for rows.Next() {
		var u User
		if err := rows.Scan(&u.ID, &u.Username, &u.Given, &u.Family, &u.Status); err != nil {
			return nil, err
		}
		users = append(users, u)
	}
	return users, rows.Err()
}

func (a *application) user(ctx context.Context, id string) (User, error) {
	u := User{Roles: map[string]string{}}
	err := a.db.QueryRowContext(ctx, `SELECT id, username, given, family, status FROM users WHERE id = ?`, id).
		Scan(&u.ID, &u.Username, &u.Given, &u.Family, &u.Status)
	if errors.Is(err, sql.ErrNoRows) {
		return User{}, errNotFound
	}
	if err != nil {
		return User{}, err
	}
	rows, err := a.db.QueryContext(ctx, `SELECT location, role FROM roles WHERE user = ?`, id)
	if err != nil {
		return User{}, err
	}
	defer rows.Close()
	for rows.Next() {
		var location, role string
		if err := rows.Scan(&location, &role); err != nil {
			return User{}, err
		}
		u.Roles[location] = role
	}
	return u, rows.Err()
}

// change runs a statement that changes one row, and adds an entry to the journal. It returns errNotFound if no row has
// changed.
func (a *application) change(ctx context.Context, entry, statement string, values ...any) error {
	result, err := a.db.ExecContext(ctx, statement, values...)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil {
		return err
	} else if n == 0 {
		return errNotFound
	}
	return a.note(ctx, entry)
}

// note adds an entry to the journal.
func (a *application) note(ctx context.Context, entry string) error {
	_, err := a.db.ExecContext(ctx, `INSERT INTO journal (entry) VALUES (?)`, entry)
	return err
}

// journal returns the requests that have reached the application, and what it has done, since the last call.
func (a *application) journal(ctx context.Context) ([]string, error) {
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	rows, err := tx.QueryContext(ctx, `SELECT entry FROM journal ORDER BY seq`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	entries := []string{}
	for rows.Next() {
		var entry string
		if err := rows.Scan(&entry); err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM journal`); err != nil {
		return nil, err
	}
	return entries, tx.Commit()
}
