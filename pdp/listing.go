package pdp

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// Bounds of lists (DOMAIN.md section 8).
const (
	defaultLimit = 100
	maxLimit     = 1000
	stretch      = 1000 // how many candidates are fetched at a time
	maxPage      = 1_000_000
)

// listing is how a search wants its list: order, filter, fields and where to go on.
type listing struct {
	kind    string
	request SearchRequest

	sort       SortKey
	descending bool
	query      string
	fields     []string
	number     int // 1-based, where a page is asked for by number; else 0

	limit int
	after Cursor
}

var (
	sortKeys  = []SortKey{SortName, SortUsername, SortDefaultLocation, SortLastLogin}
	allFields = []string{"name", "username", "status", "default_location", "last_login"}
)

// readListing reads page, of which the decoder knows only the outer form.
func readListing(kind string, r SearchRequest) (l listing, err error) {
	l = listing{kind: kind, request: r, sort: SortName, limit: defaultLimit}
	if r.Page == nil {
		return l, nil
	}
	if r.Page.Limit != nil {
		if l.limit = min(*r.Page.Limit, maxLimit); l.limit < 0 {
			return l, invalid("The member \"limit\" is negative at /page: send a whole number from 0 to %d.", maxLimit)
		}
	}
	for name, value := range r.Page.Properties {
		if value == nil {
			continue
		}
		if err := l.readProperty(name, value); err != nil {
			return l, err
		}
	}
	if r.Page.Token != "" {
		return l, l.resume(r.Page.Token)
	}
	return l, nil
}

func (l *listing) readProperty(name string, value any) error {
	s, isText := value.(string)
	switch name {
	case "sort":
		if l.sort = SortKey(s); !isText || !slices.Contains(sortKeys, l.sort) {
			return invalid("The member \"sort\" is none of %s at /page/properties.", listed(sortKeys))
		}
	case "order":
		if !isText || s != "asc" && s != "desc" {
			return invalid("The member \"order\" is neither asc nor desc at /page/properties.")
		}
		l.descending = s == "desc"
	case "query":
		if l.query = s; !isText {
			return invalid("The member \"query\" is not a string at /page/properties.")
		}
	case "page":
		number, _ := value.(json.Number)
		n, ok := authzen.WholeNumber(number, maxPage+1)
		if !ok || n < 1 || n > maxPage {
			return invalid("The member \"page\" is not a whole number from 1 to %d at /page/properties.", maxPage)
		}
		l.number = n
	case "fields":
		list, ok := value.([]any)
		if !ok {
			return invalid("The member \"fields\" is not a list of %s at /page/properties.", listed(allFields))
		}
		for _, element := range list {
			field, _ := element.(string)
			if !slices.Contains(allFields, field) {
				return invalid("The member \"fields\" is not a list of %s at /page/properties.", listed(allFields))
			}
			l.fields = append(l.fields, field)
		}
	}
	return nil
}

// listed names what there is to choose from.
func listed[T ~string](all []T) string {
	names := make([]string, len(all))
	for i, name := range all {
		names[i] = string(name)
	}
	return strings.Join(names, ", ")
}

func invalid(format string, args ...any) error {
	return &Error{Kind: Invalid, Message: fmt.Sprintf(format, args...)}
}

// page asks of one candidate after another until the page is full, and then whether any more is to come.
func (l *listing) page(ctx context.Context, all candidates) (SearchResult, error) {
	result := SearchResult{Hits: []Hit{}}
	skip := 0
	if l.number > 1 && l.request.Page.Token == "" {
		skip = (l.number - 1) * l.limit
	}
	skipped, more := 0, false
	last := l.after
	// A page by number is the hits of that number, or nothing.
	mayEndEarly := l.number == 0 || l.request.Page.Token != ""
	patience := halfOf(ctx)
	for c, err := range all {
		if err == nil {
			err = next(ctx)
		}
		ok := false
		if err == nil {
			ok, err = c.asks(ctx)
		}
		if err != nil {
			return SearchResult{}, asError(ctx, err)
		}
		switch {
		case !ok && mayEndEarly && time.Now().After(patience):
			// Hits are rare: rather than fail, the page ends here and its token goes on behind what was tried.
			last, more = c.cursor, true
		case !ok:
			continue
		case skipped < skip:
			skipped++
			continue
		case len(result.Hits) == l.limit:
			more = true
		default:
			hit, ok, err := c.carried(ctx)
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
	if l.request.Page == nil && !more {
		return result, nil
	}
	result.Page = &PageInfo{Count: len(result.Hits)}
	switch {
	case more:
		token, err := l.token(last)
		if err != nil {
			return SearchResult{}, err
		}
		result.Page.NextToken = token
	case l.request.Page == nil || l.request.Page.Token == "":
		// The list ended on this page, so that its length is known.
		total := skipped + len(result.Hits)
		result.Page.Total = &total
	}
	return result, nil
}

// halfOf is when half of a context's time is over; without a deadline that is never.
func halfOf(ctx context.Context) time.Time {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Now().Add(time.Hour)
	}
	return time.Now().Add(time.Until(deadline) / 2)
}

// firstStretch is how many candidates are fetched first: most pages are short, and most candidates are hits.
func (l *listing) firstStretch() int {
	if l.number > 1 {
		return stretch
	}
	return min(max(2*l.limit, defaultLimit), stretch)
}

// users yields the users of a location in the order of the list.
func (l *listing) users(ctx context.Context, view View, beneath string, candidateOf func(*User) candidate) candidates {
	q := UserQuery{Beneath: beneath, Sort: l.sort, Descending: l.descending, Text: l.query, After: l.after, Limit: l.firstStretch()}
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
			q.After, q.Limit = found.Cursors[len(found.Cursors)-1], stretch
		}
	}
}

// inMemory goes through a list that is whole, from where the last page ended.
func (l *listing) inMemory(all []candidate) candidates {
	for i := range all {
		all[i].cursor = Cursor{ID: all[i].hit.ID + all[i].hit.Name, Offset: i + 1}
	}
	return sequence(all[min(l.after.Offset, len(all)):])
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

// userFields are the properties of a hit that were asked for. A default location elsewhere is not this
// organization's to see.
func (l *listing) userFields(u *User, organization string) map[string]any {
	if len(l.fields) == 0 {
		return nil
	}
	fields := map[string]any{}
	for _, field := range l.fields {
		switch field {
		case "name":
			if name := nameFields(u.rec.Name); len(name) > 0 {
				fields[field] = name
			}
		case "username":
			putText(fields, field, u.rec.Username)
		case "status":
			putText(fields, field, u.rec.Status)
		case "default_location":
			if a := u.assignmentAt(u.rec.DefaultLocation); a != nil && (organization == "" || a.at.Organization() == organization) {
				putText(fields, field, u.rec.DefaultLocation)
			}
		case "last_login":
			if !u.rec.LastLogin.IsZero() {
				fields[field] = u.rec.LastLogin.Format(time.RFC3339)
			}
		}
	}
	return fields
}

func nameFields(n Name) map[string]any {
	fields := map[string]any{}
	putText(fields, "title", n.Title)
	putText(fields, "given", n.Given)
	putText(fields, "family", n.Family)
	return fields
}

func (l *listing) locationFields(at *Location) map[string]any {
	if len(l.fields) == 0 {
		return nil
	}
	fields := map[string]any{}
	if slices.Contains(l.fields, "name") {
		putText(fields, "name", at.Name())
	}
	return fields
}

func putText(fields map[string]any, name, value string) {
	if value != "" {
		fields[name] = value
	}
}
