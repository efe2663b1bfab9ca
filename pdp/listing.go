package pdp

import (
	"context"
	"errors"
	"slices"
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

// filling is a page that is being filled.
type filling struct {
	hits       []Hit
	skipped    int          // hits of earlier pages
	last       facts.Cursor // where the next page starts
	more       bool         // whether there is a next page
	incomplete []string     // users up to last about whom nothing can be decided
	beyond     []string     // and behind it
}

// fill tests candidates until the page is full, and then looks for one more hit to find out whether the list continues.
func (l *listing) fill(ctx context.Context, all candidates) (SearchResult, error) {
	page := filling{hits: []Hit{}, last: l.After}
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
		full := len(page.hits) == l.Limit
		switch {
		case c.suspended != "":
			if page.skipped == l.Skipped() {
				page.beyond = append(page.beyond, c.suspended)
			}
			continue
		case !ok && mayEndEarly && time.Now().After(halfTime):
			// Hits are rare: rather than time out, the page ends here. Its token continues after this candidate.
			page.reach(c.cursor)
			page.more = true
		case !ok:
			continue
		case page.skipped < l.Skipped():
			page.skipped++
			continue
		case full:
			page.more = true
		default:
			hit, ok, err := c.complete(ctx)
			if err != nil {
				return SearchResult{}, asError(ctx, err)
			}
			if ok {
				page.hits = append(page.hits, hit)
				page.reach(c.cursor)
			}
			continue
		}
		break
	}
	return l.result(ctx, &page)
}

// reach moves the end of the page.
func (f *filling) reach(at facts.Cursor) {
	f.last, f.incomplete, f.beyond = at, append(f.incomplete, f.beyond...), nil
}

// result returns the page that was filled.
func (l *listing) result(ctx context.Context, page *filling) (SearchResult, error) {
	if !page.more {
		page.reach(page.last)
	}
	result := SearchResult{Hits: page.hits}
	if !l.Requested && !page.more && len(page.incomplete) == 0 {
		return result, nil
	}
	result.Page = &PageInfo{Count: len(page.hits), Incomplete: page.incomplete}
	switch {
	case page.more:
		token, err := l.Token(page.last)
		if err != nil {
			return SearchResult{}, asError(ctx, err)
		}
		result.Page.NextToken = token
	case !l.Resumed && len(page.incomplete) == 0:
		// This request returned the list from beginning to end, so its length is known.
		total := page.skipped + len(page.hits)
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

// users returns the users of a location, as far as the list can have them as hits, in the order of the list.
func (l *listing) users(ctx context.Context, view facts.View, beneath string, only facts.Only, candidateOf func(*facts.User) candidate) candidates {
	q := facts.UserQuery{Beneath: beneath, Sort: l.Sort, Descending: l.Descending, Text: l.Query, Only: only, After: l.After, Limit: maxCandidatesPerQuery}
	if l.Number <= 1 { // most pages are short, and most candidates are hits: one more tells whether the list goes on
		q.Limit = min(l.Limit+l.Limit/10+2, maxCandidatesPerQuery)
	}
	return func(yield func(candidate, error) bool) {
		listed := map[string]bool{}
		for {
			found, err := view.Users(ctx, q)
			if err == nil && found.More && found.Next == q.After {
				err = &Error{Kind: Unavailable, Message: "Membership facts are unavailable.", Err: errNoProgress}
			}
			if err != nil {
				yield(candidate{}, err)
				return
			}
			suspended := found.Suspended
			for i := 0; i <= len(found.Users); i++ {
				for ; len(suspended) > 0 && suspended[0].Before == i; suspended = suspended[1:] {
					if !yield(candidate{suspended: suspended[0].ID, matches: never}, nil) {
						return
					}
				}
				// Whoever is renamed while the list is read can come again.
				if i == len(found.Users) || listed[found.Users[i].ID()] {
					continue
				}
				c := candidateOf(found.Users[i])
				c.cursor, listed[found.Users[i].ID()] = found.Cursors[i], true
				if !yield(c, nil) {
					return
				}
			}
			if !found.More {
				return
			}
			if len(found.Users) == 0 && !yield(candidate{cursor: found.Next, matches: never}, nil) {
				return // so that a list of rare hits can end here
			}
			q.After = found.Next
			if len(found.Users) == q.Limit { // so many who are no hits
				q.Limit = maxCandidatesPerQuery
			}
		}
	}
}

var errNoProgress = errors.New("the source lists the same users again and again")

func never(context.Context) (bool, error) { return false, nil }

// inMemory returns those candidates of a complete list that come after the last page. Their ids and names ascend.
func (l *listing) inMemory(all []candidate) candidates {
	for i := range all {
		all[i].cursor = facts.Cursor{ID: all[i].hit.ID + all[i].hit.Name}
	}
	return sequence(slices.DeleteFunc(all, func(c candidate) bool { return l.Resumed && c.cursor.ID <= l.After.ID }))
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
