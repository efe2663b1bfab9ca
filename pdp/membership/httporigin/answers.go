package httporigin

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// The answers of the contract ([OpenAPI]).

func readUserAnswer(body []byte) (s membership.RawRecord, err error) {
	return s, readEnvelope(body, func(e *envelope) []member { return e.userMembers(&s) })
}

func (e *envelope) userMembers(s *membership.RawRecord) []member {
	return []member{
		{"user", true, e.record(&s.Record, '{', membership.MaxRecord)},
		{"version", false, e.number(&s.Version)},
		{"history", false, e.history(&s.History)},
	}
}

func readUsersAnswer(body []byte) (all []membership.RawRecord, err error) {
	return all, readEnvelope(body, func(e *envelope) []member {
		return []member{{"users", true, func() error {
			return e.list(2, func() error {
				var s membership.RawRecord
				err := e.object(e.userMembers(&s)...)
				all = append(all, s)
				return err
			})
		}}}
	})
}

func readOrganizationAnswer(body []byte) (s membership.RawRecord, err error) {
	err = readEnvelope(body, func(e *envelope) []member {
		return []member{
			{"locations", true, e.record(&s.Record, '[', membership.MaxOrganization)},
			{"version", false, e.number(&s.Version)},
			{"history", false, e.history(&s.History)},
		}
	})
	if err == nil && len(bytes.Trim(s.Record, "[] \t\r\n")) == 0 {
		err = errors.New("locations: there are none")
	}
	return s, err
}

// readListAnswer reads at most limit users that follow this many.
func readListAnswer(body []byte, limit, before int) (l membership.RawUsers, err error) {
	err = readEnvelope(body, func(e *envelope) []member {
		return []member{
			{"users", true, func() error {
				return e.list(limit, func() error {
					var s membership.RawRecord
					var offset uint64
					err := e.object(append(e.userMembers(&s), member{"offset", false, e.number(&offset)})...)
					if offset == 0 {
						offset = uint64(before) + 1
					}
					if err == nil && len(l.Users) > 0 && int(offset) <= before {
						err = errors.New("offset: it is not greater than the one before")
					}
					before = int(offset)
					l.Users, l.Offsets = append(l.Users, s), append(l.Offsets, before)
					return err
				})
			}},
			{"more", true, e.boolean(&l.More)},
		}
	})
	if err == nil && l.More && len(l.Users) == 0 {
		err = errNoneButMore
	}
	return l, err
}

// readLocationsAnswer reads at most limit ids that follow one.
func readLocationsAnswer(body []byte, limit int, after string) (ids []string, more bool, err error) {
	err = readEnvelope(body, func(e *envelope) []member {
		return []member{
			{"ids", true, func() error {
				return e.list(limit, func() error {
					id, err := e.id()
					if err == nil && id <= after {
						err = errors.New("they are not in ascending order, byte by byte")
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
		err = errNoneButMore
	}
	return ids, more, err
}

var errNoneButMore = errors.New("more is true where nothing came")

// readUnknownAnswer fails where a 404 does not come from the application.
func readUnknownAnswer(body []byte) error {
	var code []byte
	err := readEnvelope(body, func(e *envelope) []member {
		return []member{{"code", true, e.record(&code, '"', 64)}}
	})
	if err == nil && string(code) != `"unknown"` {
		err = fmt.Errorf("code: it is not %q", "unknown")
	}
	return err
}
