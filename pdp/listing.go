package pdp

import (
	"context"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/paging"
)

// maxCandidatesPerQuery is the number of candidates that are fetched at a time.
const maxCandidatesPerQuery = 1000

// listing is the list that a search returns a page of.
type listing struct {
	kind string
	*paging.Page
}

// fill tests candidates until the page is full, and then looks for one more hit to find out whether the list continues.
func (l *listing) fill(ctx context.Context, all candidates) (SearchResult, error) {
	result := SearchResult{Hits: []Hit{}}
	skip := 0
	if l.Number > 1 && !l.Resumed {
		skip = (l.Number - 1) * l.Limit
	}
	skipped, more := 0, false
	last := l.After
	// A page requested by number must have exactly the hits of that number, so it must not end early.
	mayEndEarly := l.Number == 0 || l.Resumed
	halfTime := halfTimeOf(ctx)
	var task longTask
	for c, err := range all {
		if err == nil {
			err = task.step(ctx)
		}
		ok := false
		if err == nil {
			ok, err = c.matches(ctx)
		}
		if err != nil {
			return SearchResult{}, asError(ctx, err)
		}
		switch {
		case !ok && mayEndEarly && time.Now().After(halfTime):
			// Hits are rare: rather than time out, the page ends here. Its token continues after this candidate.
			last, more = c.cursor, true
		case !ok:
			continue
		case skipped < skip:
			skipped++
			continue
		case len(result.Hits) == l.Limit:
			more = true
		default:
			hit, ok, err := c.complete(ctx)
			switch {
			case err != nil:
				return SearchResult{}, asError(ctx, err)
			case ok:
				result.Hits = append(result.Hits, hit)
				last = c.cursor
			}
			continue
		}
		break
	}
	if !l.Requested && !more {
		return result, nil
	}
	result.Page = &PageInfo{Count: len(result.Hits)}
	switch {
	case more:
		token, err := l.Token(last)
		if err != nil {
			return SearchResult{}, asError(ctx, err)
		}
		result.Page.NextToken = token
	case !l.Resumed:
		// This request returned the list from beginning to end, so its length is known.
		total := skipped + len(result.Hits)
		result.Page.Total = &total
	}
	return result, nil
}

// halfTimeOf returns when half of a context's time is over. Without a deadline, that is far in the future.
func halfTimeOf(ctx context.Context) time.Time {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Now().Add(time.Hour)
	}
	return time.Now().Add(time.Until(deadline) / 2)
}

// users returns the users of a location in the order of the list.
func (l *listing) users(ctx context.Context, view facts.View, beneath string, candidateOf func(*facts.User) candidate) candidates {
	q := facts.UserQuery{Beneath: beneath, Sort: l.Sort, Descending: l.Descending, Text: l.Query, After: l.After, Limit: maxCandidatesPerQuery}
	if l.Number <= 1 { // most pages are short, and most candidates are hits
		q.Limit = min(max(2*l.Limit, paging.DefaultLimit), maxCandidatesPerQuery)
	}
	return func(yield func(candidate, error) bool) {
		for {
			found, err := view.Users(ctx, q)
			if err != nil {
				yield(candidate{}, err)
				return
			}
			for i, u := range found.Users {
				c := candidateOf(u)
				c.cursor = found.Cursors[i]
				if !yield(c, nil) {
					return
				}
			}
			if !found.More || len(found.Users) == 0 {
				return
			}
			q.After, q.Limit = found.Cursors[len(found.Cursors)-1], maxCandidatesPerQuery
		}
	}
}

// inMemory returns the candidates of a complete list, starting at the page.
func (l *listing) inMemory(all []candidate) candidates {
	for i := range all {
		all[i].cursor = facts.Cursor{ID: all[i].hit.ID + all[i].hit.Name, Offset: i + 1}
	}
	return sequence(all[min(l.After.Offset, len(all)):])
}

func sequence(all []candidate) candidates {
	return func(yield func(candidate, error) bool) {
		for _, c := range all {
			if !yield(c, nil) {
				return
			}
		}
	}
}

func none(func(candidate, error) bool) {}
