package httporigin

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/rotation"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// Origin is an origin that asks the application itself, by the contract of [OpenAPI]. What it delivers must not be changed.
// Its errors are [*pdp.Error]s of kind [pdp.Unavailable], or [pdp.Timeout] where the context ended; they name neither whom
// was asked about nor any secret.
type Origin struct {
	base      *url.URL
	timeout   time.Duration
	retries   int
	pause     time.Duration
	client    *http.Client
	transport *rotation.Transport
	token     *bearer
	kept      *keptAnswers
	breaker   *breaker
	slots     chan struct{} // one for each request on its way
	logger    *slog.Logger

	turnedAway atomic.Bool // the application refuses our credentials, and that has been told
	closed     atomic.Bool
}

var _ membership.Origin = (*Origin)(nil)

const (
	// around is how many bytes may stand around the records of an answer, and around each.
	around = 4 << 10
	// pageSize is how many records are asked for at a time.
	pageSize = 1000
	// largestList is how many bytes a list may have.
	largestList = 64 << 20
)

// User implements [membership.Origin].
func (h *Origin) User(ctx context.Context, id string) (*membership.RawRecord, error) {
	return h.one(ctx, "/users/by-id", id, membership.MaxRecord, readUserAnswer)
}

// Organization implements [membership.Origin].
func (h *Origin) Organization(ctx context.Context, location string) (*membership.RawRecord, error) {
	return h.one(ctx, "/organizations/by-location", location, membership.MaxOrganization, readOrganizationAnswer)
}

func (h *Origin) one(ctx context.Context, path, id string, largest int, read func([]byte) (membership.RawRecord, error)) (*membership.RawRecord, error) {
	if !membership.ValidID(id) {
		return nil, nil
	}
	var found *membership.RawRecord
	err := h.ask(ctx, question{
		path: path, query: "id=" + escape(id), largest: largest + around, kept: true,
		read: func(body []byte) error {
			s, err := read(body)
			found = &s
			return err
		},
		unknown: func() { found = nil },
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// UserByUsername implements [membership.Origin].
func (h *Origin) UserByUsername(ctx context.Context, username string) (found []membership.RawRecord, err error) {
	if !membership.ValidID(username) {
		return nil, nil
	}
	err = h.ask(ctx, question{
		path: "/users/by-username", query: "username=" + escape(username), largest: 2 * (membership.MaxRecord + around),
		read: func(body []byte) (err error) {
			found, err = readUsersAnswer(body)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Users implements [membership.Origin]. Its error is of kind [pdp.Invalid] where the question cannot be asked. A stretch of more than
// 64 MiB ends early.
func (h *Origin) Users(ctx context.Context, q facts.UserQuery) (membership.RawUsers, error) {
	q.Sort = cmp.Or(q.Sort, facts.SortName)
	switch {
	case !slices.Contains(membership.SortKeys[:], q.Sort):
		return membership.RawUsers{}, &pdp.Error{Kind: pdp.Invalid, Message: "There is no such order."}
	case len(q.Text) > membership.MaxID:
		return membership.RawUsers{}, &pdp.Error{Kind: pdp.Invalid, Message: "The text to search for is longer than 1,024 bytes."}
	case q.Beneath != "" && !membership.ValidID(q.Beneath):
		return membership.RawUsers{}, nil
	}
	q.Limit = membership.PageLimit(q.Limit)
	var all membership.RawUsers
	for bytes := 0; ; {
		page, err := h.stretch(ctx, q)
		if err != nil {
			return membership.RawUsers{}, err
		}
		all.Users, all.Offsets = append(all.Users, page.Users...), append(all.Offsets, page.Offsets...)
		all.More = page.More
		for _, s := range page.Users {
			bytes += len(s.Record)
		}
		q.Limit -= len(page.Users)
		if !page.More || q.Limit == 0 || bytes >= largestList {
			return all, nil
		}
		last := len(page.Users) - 1
		q.After = facts.Cursor{ID: record.IDOf(page.Users[last].Record), Offset: page.Offsets[last]}
	}
}

// stretch asks for one page.
func (h *Origin) stretch(ctx context.Context, q facts.UserQuery) (page membership.RawUsers, err error) {
	n := min(q.Limit, pageSize)
	before := min(max(q.After.Offset, 0), pdp.MaxVersion)
	order := "asc"
	if q.Descending {
		order = "desc"
	}
	query := "sort=" + string(q.Sort) + "&order=" + order + "&limit=" + strconv.Itoa(n)
	if q.Beneath != "" {
		query += "&beneath=" + escape(q.Beneath)
	}
	if q.Text != "" {
		query += "&query=" + escape(q.Text)
	}
	if membership.ValidID(q.After.ID) {
		query += "&after=" + escape(q.After.ID)
	}
	if before > 0 {
		query += "&offset=" + strconv.Itoa(before)
	}
	err = h.ask(ctx, question{
		path: "/users", query: query, largest: min(n*(membership.MaxRecord+around), largestList),
		read: func(body []byte) (err error) {
			page, err = readListAnswer(body, n, before)
			return err
		},
	})
	return page, err
}

// Locations implements [membership.Origin]. Its error is of kind [pdp.Invalid] where after cannot be an id.
func (h *Origin) Locations(ctx context.Context, after string, size int) ([]string, error) {
	if after != "" && !membership.ValidID(after) {
		return nil, &pdp.Error{Kind: pdp.Invalid, Message: "There is no id like the one behind which the list is to go on."}
	}
	size = membership.PageLimit(size)
	var all []string
	for {
		n := min(size-len(all), pageSize)
		query := "limit=" + strconv.Itoa(n)
		if after != "" {
			query += "&after=" + escape(after)
		}
		var page []string
		var more bool
		err := h.ask(ctx, question{
			path: "/locations", query: query, largest: n*6*membership.MaxID + around, // a character may be written as six
			read: func(body []byte) (err error) {
				page, more, err = readLocationsAnswer(body, n, after)
				return err
			},
		})
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if !more || len(all) == size {
			return all, nil
		}
		after = page[len(page)-1]
	}
}

// Check implements [membership.Origin].
func (h *Origin) Check(ctx context.Context) error {
	_, err := h.Locations(ctx, "", 1)
	return err
}

// Renew has later requests use new connections.
func (h *Origin) Renew() { h.transport.Renew() }

// Close lets go of the connections. Requests on their way end as they would; later ones fail.
func (h *Origin) Close() error {
	h.closed.Store(true)
	h.transport.CloseIdleConnections()
	return nil
}

// escape writes a text for a query. Not every server takes a plus for a space.
func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
