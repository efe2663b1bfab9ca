package pgorigin

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

const longestName = 63 // bytes; the database cuts longer ones

// tables are quoted names; versions is that of the sequence beside the users.
type tables struct {
	users, assignments, locations, versions string
}

func (t Tables) quoted() (tables, error) {
	var q tables
	for _, one := range []struct {
		name, standard string
		into           *string
	}{{t.Users, "users", &q.users}, {t.Assignments, "assignments", &q.assignments}, {t.Locations, "locations", &q.locations}} {
		name := one.name
		if name == "" {
			name = one.standard
		}
		parts := strings.Split(name, ".")
		if len(parts) > 2 {
			return q, invalid(fmt.Sprintf("table %s is not NAME or SCHEMA.NAME", membership.Quote(name)))
		}
		for _, part := range parts {
			if err := checkName("table", part); err != nil {
				return q, err
			}
		}
		*one.into = pgx.Identifier(parts).Sanitize()
		if one.into == &q.users {
			parts[len(parts)-1] = "wardkeeper_versions"
			q.versions = pgx.Identifier(parts).Sanitize()
		}
	}
	return q, nil
}

// checkName wants letters, digits and _ $ -, as names of tables have; a quoted name could have more, and nobody's has.
func checkName(what, name string) error {
	odd := func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("_$-", c)
	}
	if name == "" || len(name) > longestName || !utf8.ValidString(name) || strings.ContainsFunc(name, odd) {
		return invalid(fmt.Sprintf("%s has a name that no database takes unquoted: %s", what, membership.Quote(name)))
	}
	return nil
}

// secrets are what no error and no log may tell: the latest of them, for passwords are rotated.
type secrets struct {
	mu    sync.Mutex
	texts []string
}

const mostSecrets = 300

func (s *secrets) add(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range []string{text, url.QueryEscape(text), url.PathEscape(text)} {
		if text != "" && !slices.Contains(s.texts, one) {
			s.texts = append(s.texts, one)
		}
	}
	if more := len(s.texts) - mostSecrets; more > 0 {
		s.texts = slices.Delete(s.texts, 0, more)
	}
}

// addOf finds the secrets of a URL, and refuses one that is none: what is secret in it could not be known.
func (s *secrets) addOf(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return invalid("the database must be given as a URL, postgres://user:password@host:port/database; what is no letter or digit in user and password is percent-encoded")
	}
	if password, ok := u.User.Password(); ok {
		s.add(password)
	}
	for _, name := range []string{"password", "sslpassword"} {
		s.add(u.Query().Get(name))
	}
	return nil
}

// hidden is an error without secrets, and without values of records, that the database may quote.
func (s *secrets) hidden(err error) error {
	if err == nil {
		return nil
	}
	text := strings.ReplaceAll(err.Error(), "\n\t", " ") // of several addresses, each has a line
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		text = "the database refuses, SQLSTATE " + refused.Code
		// These classes are known to speak of connections, tables, constraints and rights alone.
		if len(refused.Code) == 5 && slices.Contains([]string{"08", "23", "28", "3D", "42", "53", "57"}, refused.Code[:2]) {
			text += ": " + refused.Message
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range s.texts {
		text = strings.ReplaceAll(text, secret, "xxxxx")
	}
	return &hiddenError{text: text, err: err}
}

// hiddenError says less than the error that it stands for, which only its kind is asked of.
type hiddenError struct {
	text string
	err  error
}

func (e *hiddenError) Error() string { return e.text }

// Is passes on what an error is, and not the error itself.
func (e *hiddenError) Is(target error) bool { return errors.Is(e.err, target) }
