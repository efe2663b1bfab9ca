package pgorigin

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// ways returns how to find a page, the first one that can.
func (s listShape) ways(q *queries, asked facts.UserQuery, text string, large *largeLists) []listWay {
	var ways []listWay
	if s.assigned && !(s.around && large.has(asked.Only.Assigned.Beneath)) {
		ways = append(ways, gatherAssigned)
	}
	// Too many with an assignment at the location are too many of the location.
	if !s.everywhere && !large.has(asked.Beneath) && !(s.at && slices.Contains(asked.Only.Assigned.Locations, asked.Beneath)) {
		ways = append(ways, gatherScope)
	}
	if s.filtered && !s.exact && (s.short || q.trigrams && utf8.RuneCountInString(text) >= trigram) && !large.has(textKey(text)) {
		ways = append(ways, glance, gatherText)
	}
	return append(ways, walk)
}

// isShort reports whether an index finds the text as one of one or two characters.
func (s listShape) isShort(q *queries, text string) bool {
	return text != "" && !s.exact && q.short && utf8.RuneCountInString(text) < trigram && !strings.Contains(text, shortSeparator)
}

// trigram is the length of the shortest text that an index of trigrams can find.
const trigram = 3

// separator is between the two texts of the column for searches, as in [Schema].
const separator = "\n"

// likeEscaper makes a pattern of LIKE that matches only the text.
var likeEscaper = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)

// Users implements [membership.Origin]. A query looks at a bounded number of users.
func (p *Origin) Users(ctx context.Context, q facts.UserQuery) (membership.RawUsers, error) {
	s := listShape{sort: q.Sort, descending: q.Descending, everywhere: q.Beneath == "", filtered: q.Text != "", continued: facts.ValidID(q.After.ID), status: q.Only.Status}
	if held := q.Only.Assigned; held != nil {
		s.assigned, s.at, s.roles, s.active = true, held.Locations != nil, held.Roles != nil, held.Active
		s.around = s.at && held.Beneath != ""
	}
	if s.sort == "" {
		s.sort = facts.SortName
	}
	if !slices.Contains(membership.SortKeys[:], s.sort) {
		return membership.RawUsers{}, invalid("The sort order is unknown.")
	}
	text := facts.FoldCanonical(q.Text)
	s.exact = strings.Contains(text, separator)
	for _, one := range []string{q.Text, q.After.First, q.After.Second} {
		if strings.ContainsRune(one, 0) || !utf8.ValidString(one) {
			return membership.RawUsers{}, nil
		}
	}
	if !s.everywhere && !facts.ValidID(q.Beneath) {
		return membership.RawUsers{}, nil
	}
	most := membership.PageLimit(q.Limit)
	args := []any{int64(min(most, math.MaxInt32)) + 1}
	if s.continued {
		args = append(args, q.After.ID, q.After.First)
		if s.sort == facts.SortName {
			args = append(args, q.After.Second)
		}
	}
	if !s.everywhere {
		args = append(args, q.Beneath)
	}
	textAt := len(args)
	if s.filtered {
		args = append(args, text)
	}
	if s.at {
		args = append(args, q.Only.Assigned.Locations)
	}
	if s.around {
		args = append(args, q.Only.Assigned.Beneath)
	}
	if s.roles {
		args = append(args, q.Only.Assigned.Roles)
	}
	var page listPage
	err := p.ask(ctx, longTimeoutFactor*p.timeout, func(ctx context.Context, queries *queries) error {
		select {
		case p.listSlots <- struct{}{}:
			defer func() { <-p.listSlots }()
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errNoConnection, ctx.Err())
		}
		if s.short = s.isShort(queries, text); s.short {
			args[textAt] = text
		} else if s.filtered {
			args[textAt] = "%" + likeEscaper.Replace(text) + "%"
		}
		for _, s.way = range s.ways(queries, q, text, &p.large) {
			page = listPage{most: most, budget: queries.budget(s)}
			if err := p.rows(ctx, queries.list(s), args, page.add); err != nil || page.suffices(s.way) {
				return err
			}
			switch {
			case s.way == gatherScope:
				p.large.add(q.Beneath)
			case s.way == gatherAssigned && s.around:
				p.large.add(q.Only.Assigned.Beneath)
			case s.way == gatherText:
				p.large.add(textKey(text))
			}
		}
		return nil
	})
	if err != nil {
		return membership.RawUsers{}, err
	}
	return page.RawUsers, nil
}

// listPage is a page that is being read.
type listPage struct {
	membership.RawUsers
	most    int   // users
	budget  int64 // the place at which the query ends, if there are as many
	bytes   int
	last    int64 // place
	tooMany bool
}

// suffices reports whether no other way has to be tried.
func (l *listPage) suffices(way listWay) bool {
	return !l.tooMany && (way != glance || !l.More || int64(len(l.Users)) > l.budget/glanceEnough)
}

// add adds a row. It returns false if the page is complete.
func (l *listPage) add(rows pgx.Rows) (bool, error) {
	var place int64
	var hit bool
	var next facts.Cursor
	one := membership.RawRecord{}
	var version int64
	if err := rows.Scan(&one.Record, &version, &one.History, &place, &hit, &next.ID, &next.First, &next.Second); err != nil {
		return false, err
	}
	switch {
	case place == tooMany:
		l.tooMany = true
		return false, nil
	case !hit: // the last one that the query has looked at
		l.More, l.Next = true, next
		return false, nil
	}
	completeUser(&one, version, next.ID)
	if place == l.last {
		return false, fmt.Errorf("user %s: %w", membership.Quote(next.ID), errDuplicateID)
	}
	l.last = place
	// A page of very large records ends early.
	if l.bytes += len(one.Record); len(l.Users) == l.most || l.bytes > membership.MaxOrganization {
		l.More = true
		return false, nil
	}
	l.Users, l.Next, l.More = append(l.Users, one), next, place == l.budget
	return true, nil
}

// textKey stands for the users who match a text, beside the locations of largeLists.
func textKey(text string) string { return "text" + separator + text }

// largeLists are locations and texts that had too many users to gather a while ago, so that not every page tries it.
type largeLists struct {
	mu    sync.Mutex
	until map[string]time.Time
}

const (
	largeFor       = time.Minute
	maxLargeListed = 1000
)

func (l *largeLists) has(location string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Before(l.until[location])
}

func (l *largeLists) add(location string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until == nil || len(l.until) == maxLargeListed {
		l.until = map[string]time.Time{}
	}
	l.until[location] = time.Now().Add(largeFor)
}
