package httporigin

import (
	"bytes"
	"errors"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// readUserAnswer and the functions below decode the responses of the contract ([OpenAPI]).
func readUserAnswer(body []byte) (r membership.RawRecord, err error) {
	return r, readEnvelope(body, func(e *envelope) []member { return e.userMembers(&r) })
}

func (e *envelope) userMembers(r *membership.RawRecord) []member {
	return []member{
		{"user", true, func() error { return e.user(r) }},
		{"version", false, e.number(&r.Version)},
		{"history", false, e.history(&r.History)},
	}
}

// user reads a user's record.
func (e *envelope) user(r *membership.RawRecord) error {
	raw, err := e.value('{')
	switch {
	case err != nil:
		return err
	case len(raw) > membership.MaxRecord:
		var u struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(raw, &u) == nil && facts.ValidID(u.ID) {
			r.ID = u.ID
		}
		r.Fault, e.tooLarge = membership.ErrRecordTooLarge, raw
	default:
		r.Record = bytes.Clone(raw)
	}
	return nil
}

// cursorAfter returns the position in a list right after a user whose record is too large; the zero Cursor if that cannot be read.
func cursorAfter(raw []byte, by facts.SortKey) facts.Cursor {
	var u struct {
		ID              string    `json:"id"`
		Username        string    `json:"username"`
		DefaultLocation string    `json:"default_location"`
		LastLogin       time.Time `json:"last_login"`
		Name            struct {
			Given  string `json:"given"`
			Family string `json:"family"`
		} `json:"name"`
	}
	if json.Unmarshal(raw, &u) != nil || !facts.ValidID(u.ID) {
		return facts.Cursor{}
	}
	c := by.CursorAfter(&facts.UserRecord{ID: u.ID, Username: u.Username, DefaultLocation: u.DefaultLocation, LastLogin: u.LastLogin,
		Name: facts.Name{Given: u.Name.Given, Family: u.Name.Family}})
	if len(c.First) > facts.MaxID || len(c.Second) > facts.MaxID {
		return facts.Cursor{}
	}
	return c
}

func readUsersAnswer(body []byte) (all []membership.RawRecord, err error) {
	return all, readEnvelope(body, func(e *envelope) []member {
		return []member{{"users", true, func() error {
			return e.list(2, func() error {
				var r membership.RawRecord
				err := e.object(e.userMembers(&r)...)
				all = append(all, r)
				return err
			})
		}}}
	})
}

func readOrganizationAnswer(body []byte) (r membership.RawRecord, err error) {
	err = readEnvelope(body, func(e *envelope) []member {
		return []member{
			{"locations", true, e.record(&r.Record, '[', membership.MaxOrganization)},
			{"version", false, e.number(&r.Version)},
			{"history", false, e.history(&r.History)},
		}
	})
	if err == nil && len(bytes.Trim(r.Record, "[] \t\r\n")) == 0 {
		err = errors.New("locations: there are none")
	}
	return r, err
}

// readListAnswer decodes at most limit users. Where the list continues is said only after a user whose record is too large: the caller
// knows it of others.
func readListAnswer(body []byte, limit int, by facts.SortKey) (l membership.RawUsers, err error) {
	var decoder *envelope
	err = readEnvelope(body, func(e *envelope) []member {
		decoder = e
		return []member{
			{"users", true, func() error {
				return e.list(limit, func() error {
					var r membership.RawRecord
					err := e.object(e.userMembers(&r)...)
					l.Users = append(l.Users, r)
					return err
				})
			}},
			{"more", true, e.boolean(&l.More)},
		}
	})
	switch {
	case err != nil || !l.More:
	case len(l.Users) == 0:
		err = errEmptyPage
	case l.Users[len(l.Users)-1].Fault != nil:
		l.Next = cursorAfter(decoder.tooLarge, by)
	}
	return l, err
}

// readLocationsAnswer decodes at most limit ids in ascending order that follow after.
func readLocationsAnswer(body []byte, limit int, after string) (ids []string, more bool, err error) {
	err = readEnvelope(body, func(e *envelope) []member {
		return []member{
			{"ids", true, func() error {
				return e.list(limit, func() error {
					id, err := e.id()
					if err == nil && id <= after {
						err = errors.New("they are not in ascending order by bytes")
					}
					after = id
					ids = append(ids, id)
					return err
				})
			}},
			{"more", true, e.boolean(&more)},
		}
	})
	if err == nil && more && len(ids) == 0 {
		err = errEmptyPage
	}
	return ids, more, err
}

var errEmptyPage = errors.New("more is true, but the page is empty")

// readUnknownAnswer returns an error unless the body of a 404 is the one of the contract. A proxy or another server does
// not send that body.
func readUnknownAnswer(body []byte) error {
	var code []byte
	err := readEnvelope(body, func(e *envelope) []member {
		return []member{{"code", true, e.record(&code, '"', 64)}}
	})
	if err == nil && string(code) != `"unknown"` {
		err = errors.New(`code: it is not "unknown"`)
	}
	return err
}
