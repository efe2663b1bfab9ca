package pdp

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// Bounds of lists (policies/DOMAIN.md section 8).
const (
	defaultLimit          = 100
	maxLimit              = 1000
	maxPage               = 1_000_000
	maxCandidatesPerQuery = 1000
	maxPageToken          = 16 << 10 // more than the longest id takes
)

// listing is the list that a search asks for: order, filter, fields, and where the page starts.
type listing struct {
	kind    string
	request SearchRequest

	sort       facts.SortKey
	descending bool
	query      string
	fields     []string
	number     int // of the page, from 1; 0 if no page is asked for by number

	limit int
	after facts.Cursor
}

var (
	sortKeys  = []facts.SortKey{facts.SortName, facts.SortUsername, facts.SortDefaultLocation, facts.SortLastLogin}
	allFields = []string{"name", "username", "status", "default_location", "last_login"}
)

// newListing reads the page of a request, whose properties the decoder does not check.
func newListing(kind string, r SearchRequest) (*listing, error) {
	l := &listing{kind: kind, request: r, sort: facts.SortName, limit: defaultLimit}
	if r.Page == nil {
		return l, nil
	}
	if r.Page.Limit != nil {
		if l.limit = min(*r.Page.Limit, maxLimit); l.limit < 0 {
			return nil, invalid("The member \"limit\" is negative at /page: send a whole number from 0 to %d.", maxLimit)
		}
	}
	for name, value := range r.Page.Properties {
		if value == nil {
			continue
		}
		if err := l.readProperty(name, value); err != nil {
			return nil, err
		}
	}
	if r.Page.Token != "" {
		return l, l.resume(r.Page.Token)
	}
	return l, nil
}

func (l *listing) readProperty(name string, value any) error {
	s, isString := value.(string)
	switch name {
	case "sort":
		if l.sort = facts.SortKey(s); !isString || !slices.Contains(sortKeys, l.sort) {
			return invalid("The member \"sort\" is none of %s at /page/properties.", joined(sortKeys))
		}
	case "order":
		if !isString || s != "asc" && s != "desc" {
			return invalid("The member \"order\" is neither asc nor desc at /page/properties.")
		}
		l.descending = s == "desc"
	case "query":
		if l.query = s; !isString {
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
		list, isList := value.([]any)
		for _, element := range list {
			field, _ := element.(string)
			l.fields = append(l.fields, field)
		}
		unknown := func(field string) bool { return !slices.Contains(allFields, field) }
		if !isList || slices.ContainsFunc(l.fields, unknown) {
			return invalid("The member \"fields\" is not a list of %s at /page/properties.", joined(allFields))
		}
	}
	return nil
}

// joined is a list for a message.
func joined[T ~string](all []T) string {
	names := make([]string, len(all))
	for i, name := range all {
		names[i] = string(name)
	}
	return strings.Join(names, ", ")
}

// page tests candidates until the page is full, and then whether there are any more hits.
func (l *listing) page(ctx context.Context, all candidates) (SearchResult, error) {
	result := SearchResult{Hits: []Hit{}}
	resumed := l.request.Page != nil && l.request.Page.Token != ""
	skip := 0
	if l.number > 1 && !resumed {
		skip = (l.number - 1) * l.limit
	}
	skipped, more := 0, false
	last := l.after
	// A page by number has the hits of that number, or none: it must not end early.
	mayEndEarly := l.number == 0 || resumed
	halfTime := halfTimeOf(ctx)
	for c, err := range all {
		if err == nil {
			err = yield(ctx)
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
			// Hits are rare: rather than time out, the page ends here, and its token continues after this candidate.
			last, more = c.cursor, true
		case !ok:
			continue
		case skipped < skip:
			skipped++
			continue
		case len(result.Hits) == l.limit:
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
	case !resumed:
		// The list began and ended with this request, so that its length is known.
		total := skipped + len(result.Hits)
		result.Page.Total = &total
	}
	return result, nil
}

// halfTimeOf is when half of a context's time is over; without a deadline, it is far away.
func halfTimeOf(ctx context.Context) time.Time {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Now().Add(time.Hour)
	}
	return time.Now().Add(time.Until(deadline) / 2)
}

// users are the users of a location in the order of the list.
func (l *listing) users(ctx context.Context, view facts.View, beneath string, candidateOf func(*facts.User) candidate) candidates {
	q := facts.UserQuery{Beneath: beneath, Sort: l.sort, Descending: l.descending, Text: l.query, After: l.after, Limit: maxCandidatesPerQuery}
	if l.number <= 1 { // most pages are short, and most candidates are hits
		q.Limit = min(max(2*l.limit, defaultLimit), maxCandidatesPerQuery)
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

// inMemory are the candidates of a complete list from where the page starts.
func (l *listing) inMemory(all []candidate) candidates {
	for i := range all {
		all[i].cursor = facts.Cursor{ID: all[i].hit.ID + all[i].hit.Name, Offset: i + 1}
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

// userFields are the properties of a hit that were asked for. A default location of another organization is left out.
func (l *listing) userFields(u *facts.User, organization string) map[string]any {
	if len(l.fields) == 0 {
		return nil
	}
	rec := u.Record()
	fields := map[string]any{}
	for _, field := range l.fields {
		switch field {
		case "name":
			name := map[string]any{}
			putString(name, "title", rec.Name.Title)
			putString(name, "given", rec.Name.Given)
			putString(name, "family", rec.Name.Family)
			if len(name) > 0 {
				fields[field] = name
			}
		case "username":
			putString(fields, field, rec.Username)
		case "status":
			putString(fields, field, rec.Status)
		case "default_location":
			a := u.AssignmentAt(rec.DefaultLocation)
			if a != nil && (organization == facts.AnyOrganization || a.At.Organization() == organization) {
				putString(fields, field, rec.DefaultLocation)
			}
		case "last_login":
			if !rec.LastLogin.IsZero() {
				fields[field] = rec.LastLogin.Format(time.RFC3339)
			}
		}
	}
	return fields
}

func (l *listing) locationFields(at *facts.Location) map[string]any {
	if len(l.fields) == 0 {
		return nil
	}
	fields := map[string]any{}
	if slices.Contains(l.fields, "name") {
		putString(fields, "name", at.Name())
	}
	return fields
}

func putString(fields map[string]any, name, value string) {
	if value != "" {
		fields[name] = value
	}
}

// pageToken is where a list continues. Sum binds it to the request that began the list and to its own content, so that it
// continues that list alone. It gives no right: the policy is asked about each candidate again.
type pageToken struct {
	ID     string `json:"i"`
	Offset int    `json:"o"`
	Limit  int    `json:"l"`
	Sum    []byte `json:"s"`
}

// token continues the list after a hit.
func (l *listing) token(last facts.Cursor) (string, error) {
	return l.seal(pageToken{ID: last.ID, Offset: last.Offset, Limit: l.limit})
}

// resume continues where a token says. A request without a limit keeps that of the token.
func (l *listing) resume(token string) error {
	refused := invalid("The member \"token\" does not continue this list at /page: send the request that began it, or begin anew.")
	var t pageToken
	data, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(token) > maxPageToken || json.Unmarshal(data, &t) != nil {
		return refused
	}
	// The token must be one that this list would give, byte by byte.
	if sealed, err := l.seal(t); err != nil || sealed != token {
		return refused
	}
	if t.Offset < 0 || t.Limit < 0 || t.Limit > maxLimit || l.request.Page.Limit != nil && l.limit != t.Limit {
		return refused
	}
	l.after, l.limit = facts.Cursor{ID: t.ID, Offset: t.Offset}, t.Limit
	return nil
}

// seal encodes a token with its sum.
func (l *listing) seal(t pageToken) (string, error) {
	sum, err := l.sum(t)
	if err != nil {
		return "", invalid("the request cannot be continued: %v", err)
	}
	t.Sum = sum
	data, err := json.Marshal(t)
	return base64.RawURLEncoding.EncodeToString(data), err
}

// sum is over the token and the whole request but for its token and limit, whatever the order of members.
func (l *listing) sum(t pageToken) ([]byte, error) {
	r := l.request
	var page map[string]any
	if r.Page != nil {
		page = normalized(r.Page.Properties)
	}
	data, err := json.Marshal([]any{
		l.kind, r.Subject.Type, r.Subject.ID, normalized(r.Subject.Properties), r.Action.Name, normalized(r.Action.Properties),
		r.Resource.Type, r.Resource.ID, normalized(r.Resource.Properties), normalized(r.Context), page,
		t.ID, t.Offset, t.Limit,
	})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	return sum[:16], nil
}

// normalized is an object without nulls, nil if it is empty: both say the same as nothing.
func normalized(members map[string]any) map[string]any {
	var all map[string]any
	for name, value := range members {
		if value == nil {
			continue
		}
		if all == nil {
			all = make(map[string]any, len(members))
		}
		all[name] = value
	}
	return all
}
