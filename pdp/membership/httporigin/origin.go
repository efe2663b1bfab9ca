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
	"github.com/wardkeeper/wardkeeper/pdp/outage"
)

// Origin reads membership facts from an application that implements the contract of [OpenAPI]. Callers must not modify
// the returned records. Errors are [*pdp.Error]s of kind [pdp.Unavailable], or [pdp.Timeout] if the context ended. They
// contain no ids, usernames or secrets. An Origin is safe for concurrent use.
type Origin struct {
	base      *url.URL
	timeout   time.Duration
	retries   int
	backoff   time.Duration
	client    *http.Client
	transport *rotation.Transport
	token     *bearerToken
	etags     *etagCache
	breaker   *breaker
	down      outage.Outage // while breaker suspends requests
	slots     chan struct{} // a semaphore of MaxConnections
	waits     atomic.Uint64 // requests that had to wait for a slot
	logger    *slog.Logger

	unauthorized atomic.Bool // the application refuses the credentials, and that has been logged
	closed       atomic.Bool
}

var _ membership.Origin = (*Origin)(nil)

var _ membership.Pooled = (*Origin)(nil)

// Pool implements [membership.Pooled]. Idle connections are those of the transport, which does not count them.
func (h *Origin) Pool() membership.Pool {
	return membership.Pool{Name: "origin", Used: len(h.slots), Limit: cap(h.slots), Waits: h.waits.Load()}
}

const (
	// envelopeBytes is the maximum number of bytes in an answer other than its records; for a list, per record.
	envelopeBytes = 4 << 10
	// pageSize is the maximum limit that the contract allows.
	pageSize = 1000
	// maxListBytes limits one answer with a list.
	maxListBytes = 64 << 20
)

// User implements [membership.Origin].
func (h *Origin) User(ctx context.Context, id string) (*membership.RawRecord, error) {
	return h.fetchRecord(ctx, "/users/by-id", id, membership.MaxRecord, readUserAnswer)
}

// Organization implements [membership.Origin].
func (h *Origin) Organization(ctx context.Context, location string) (*membership.RawRecord, error) {
	return h.fetchRecord(ctx, "/organizations/by-location", location, membership.MaxOrganization, readOrganizationAnswer)
}

func (h *Origin) fetchRecord(ctx context.Context, path, id string, maxBytes int, read func([]byte) (membership.RawRecord, error)) (*membership.RawRecord, error) {
	if !facts.ValidID(id) {
		return nil, nil
	}
	var found *membership.RawRecord
	err := h.do(ctx, request{
		path: path, query: "id=" + escape(id), maxBytes: maxBytes + envelopeBytes, cacheable: true,
		read: func(body []byte) error {
			r, err := read(body)
			found = &r
			return err
		},
		notFound: func() { found = nil },
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// UserByUsername implements [membership.Origin].
func (h *Origin) UserByUsername(ctx context.Context, username string) (found []membership.RawRecord, err error) {
	if !facts.ValidID(username) {
		return nil, nil
	}
	err = h.do(ctx, request{
		path: "/users/by-username", query: "username=" + escape(username), maxBytes: 2 * (membership.MaxRecord + envelopeBytes),
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

// Users implements [membership.Origin]. It returns an error of kind [pdp.Invalid] for an unknown order or a text that is
// too long. A page has at most 1,000 users.
func (h *Origin) Users(ctx context.Context, q facts.UserQuery) (membership.RawUsers, error) {
	q.Sort = cmp.Or(q.Sort, facts.SortName)
	switch {
	case !slices.Contains(membership.SortKeys[:], q.Sort):
		return membership.RawUsers{}, &pdp.Error{Kind: pdp.Invalid, Message: "There is no such order."}
	case len(q.Text) > facts.MaxID:
		return membership.RawUsers{}, &pdp.Error{Kind: pdp.Invalid, Message: "The text to search for is longer than 1,024 bytes."}
	case q.Beneath != "" && !facts.ValidID(q.Beneath):
		return membership.RawUsers{}, nil
	}
	n := min(membership.PageLimit(q.Limit), pageSize)
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
	if facts.ValidID(q.After.ID) {
		query += "&after=" + escape(q.After.ID)
		if q.After.First != "" {
			query += "&after_value=" + escape(q.After.First)
		}
		if q.After.Second != "" {
			query += "&after_given=" + escape(q.After.Second)
		}
	}
	var page membership.RawUsers
	err := h.do(ctx, request{
		path: "/users", query: query, maxBytes: min(n*(membership.MaxRecord+envelopeBytes), maxListBytes),
		read: func(body []byte) (err error) {
			page, err = readListAnswer(body, n, q.Sort)
			return err
		},
	})
	if err != nil {
		return membership.RawUsers{}, err
	}
	if q.Sort == facts.SortDefaultLocation && q.Beneath != "" { // whether the value counts depends on where that location is
		page.Next = facts.Cursor{}
	}
	return page, nil
}

// Locations implements [membership.Origin]. It returns an error of kind [pdp.Invalid] if after is not a valid id.
func (h *Origin) Locations(ctx context.Context, after string, size int) ([]string, error) {
	if after != "" && !facts.ValidID(after) {
		return nil, &pdp.Error{Kind: pdp.Invalid, Message: "The list cannot continue after this text: it is not a valid id."}
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
		err := h.do(ctx, request{
			path: "/locations", query: query, maxBytes: n*6*facts.MaxID + envelopeBytes, // an escaped character has six bytes
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

// Renew makes later requests use new connections.
func (h *Origin) Renew() { h.transport.Renew() }

// Close closes idle connections. Requests in flight continue; later ones fail.
func (h *Origin) Close() error {
	h.closed.Store(true)
	h.transport.CloseIdleConnections()
	return nil
}

// escape encodes a text for a query. It writes a space as %20, because some servers do not decode a plus sign.
func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
