package pgorigin

import (
	"cmp"
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

const maxNameLength = 63 // bytes; PostgreSQL truncates longer names

// tables are quoted names. The sequence versions is in the schema of the users.
type tables struct {
	users, assignments, locations, versions string
}

func (t Tables) quoted() (tables, error) {
	var q tables
	for _, one := range []struct {
		name, standard string
		into           *string
	}{{t.Users, "users", &q.users}, {t.Assignments, "assignments", &q.assignments}, {t.Locations, "locations", &q.locations}} {
		name := cmp.Or(one.name, one.standard)
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

// checkName accepts letters, digits and _ $ -. A quoted name could have other characters, but none does in practice.
func checkName(what, name string) error {
	odd := func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("_$-", c)
	}
	if name == "" || len(name) > maxNameLength || !utf8.ValidString(name) || strings.ContainsFunc(name, odd) {
		return invalid(fmt.Sprintf("the name of %s must have letters, digits and _ $ - only, and at most 63 bytes: %s", what, membership.Quote(name)))
	}
	return nil
}

// secrets are texts that no error or log may contain. Passwords rotate, so the latest are kept.
type secrets struct {
	mu    sync.Mutex
	texts []string
}

const maxSecrets = 300

func (s *secrets) add(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range []string{text, url.QueryEscape(text), url.PathEscape(text)} {
		if text != "" && !slices.Contains(s.texts, one) {
			s.texts = append(s.texts, one)
		}
	}
	if more := len(s.texts) - maxSecrets; more > 0 {
		s.texts = slices.Delete(s.texts, 0, more)
	}
}

// addFromURL adds the secrets of a URL. It refuses a text that is not a URL, whose secrets could not be found.
func (s *secrets) addFromURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return invalid("the database must be a URL, postgres://user:password@host:port/database, with special characters in user and password percent-encoded")
	}
	if password, ok := u.User.Password(); ok {
		s.add(password)
	}
	for _, name := range []string{"password", "sslpassword"} {
		s.add(u.Query().Get(name))
	}
	return nil
}

// redact returns an error without secrets and without values of records, which the database may quote.
func (s *secrets) redact(err error) error {
	if err == nil {
		return nil
	}
	text := onOneLine(err.Error())
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		text = "the database reports SQLSTATE " + refused.Code
		// Messages of these classes name only connections, tables, constraints and privileges.
		if len(refused.Code) == 5 && slices.Contains([]string{"08", "23", "28", "3D", "42", "53", "57"}, refused.Code[:2]) {
			text += ": " + refused.Message
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range s.texts {
		text = strings.ReplaceAll(text, secret, "xxxxx")
	}
	return &redactedError{text: text, err: err}
}

// onOneLine joins the lines of an error of the driver, of which there is one for each of several addresses, and for each of them one
// with TLS and one without, which may say the same.
func onOneLine(text string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n\t") {
		if line = strings.Replace(line, "dial error: dial ", "dial ", 1); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " ")
}

// redactedError replaces the text of an error.
type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string { return e.text }

// Is matches what the original error matches, without exposing it.
func (e *redactedError) Is(target error) bool { return errors.Is(e.err, target) }
