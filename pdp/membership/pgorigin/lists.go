package pgorigin

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// ways returns how to find a page, the first one that can.
func (s listShape) ways(q *queries, text string) []listWay {
	var ways []listWay
	if !s.everywhere {
		ways = append(ways, gatherScope)
	}
	if s.filtered && !s.exact && q.trigrams && utf8.RuneCountInString(text) >= trigram {
		ways = append(ways, gatherText)
	}
	return append(ways, walk)
}

// trigram is the length of the shortest text that an index of trigrams can find.
const trigram = 3

// separator is between the two texts of the column for searches, as in [Schema].
const separator = "\n"

// likeEscaper makes a pattern of LIKE that matches only the text.
var likeEscaper = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)

// Users implements [membership.Origin]. A query looks at a bounded number of users.
func (p *Origin) Users(ctx context.Context, q facts.UserQuery) (membership.RawUsers, error) {
	s := listShape{sort: q.Sort, descending: q.Descending, everywhere: q.Beneath == "", filtered: q.Text != "", continued: facts.ValidID(q.After.ID)}
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
	if s.filtered {
		args = append(args, "%"+likeEscaper.Replace(text)+"%")
	}
	var page listPage
	err := p.ask(ctx, listTimeoutFactor*p.timeout, func(ctx context.Context, queries *queries) error {
		select {
		case p.listSlots <- struct{}{}:
			defer func() { <-p.listSlots }()
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errNoConnection, ctx.Err())
		}
		for _, s.way = range s.ways(queries, text) {
			page = listPage{most: most, budget: queries.budget(s)}
			if err := p.rows(ctx, queries.list(s), args, page.add); err != nil || !page.tooMany {
				return err
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
	if err := completeRecord(&one, version); err != nil {
		return false, err
	}
	if place == l.last {
		return false, fmt.Errorf("user %s: %w", membership.Quote(record.IDOf(one.Record)), errDuplicateID)
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
