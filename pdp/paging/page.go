package paging

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/fleetkey"
)

// DefaultLimit is the number of hits on a page whose request sets no limit.
const DefaultLimit = 100

const (
	maxLimit  = 1000
	maxNumber = 1_000_000
	// maxSkipped bounds the hits before a page that is asked for by number, because each of them is decided. A token costs
	// the same anywhere in a list.
	maxSkipped = 10_000
)

// Page has the paging parameters of a search.
type Page struct {
	Requested bool // the request has a page
	Resumed   bool // the page continues a list by a token

	Sort       facts.SortKey
	Descending bool
	Query      string
	Fields     []string
	Number     int // of the page, from 1; 0 if no page is requested by number
	Limit      int
	After      facts.Cursor // where the page starts

	search   string
	question authzen.Evaluation
	page     *authzen.Page
	keys     *fleetkey.Keys
}

// An Error says what is wrong with a page, in a sentence for the caller.
type Error struct{ Message string }

func (e *Error) Error() string { return e.Message }

func fault(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

var (
	sortKeys  = []facts.SortKey{facts.SortName, facts.SortUsername, facts.SortDefaultLocation, facts.SortLastLogin}
	allFields = []string{"name", "username", "status", "default_location", "last_login"}
)

// Read reads the page of a search, whose properties the decoder does not check; nil asks for the defaults. The tokens of
// the list are bound to the kind of search and to its question, and sealed by the keys. The error is an [*Error].
func Read(search string, question authzen.Evaluation, page *authzen.Page, keys *fleetkey.Keys) (*Page, error) {
	p := &Page{Sort: facts.SortName, Limit: DefaultLimit, search: search, question: question, page: page, keys: keys}
	if page == nil {
		return p, nil
	}
	p.Requested = true
	if page.Limit != nil {
		if p.Limit = min(*page.Limit, maxLimit); p.Limit < 0 {
			return nil, fault("The member \"limit\" is negative at /page: send a whole number from 0 to %d.", maxLimit)
		}
	}
	for name, value := range page.Properties {
		if value == nil {
			continue
		}
		if err := p.readProperty(name, value); err != nil {
			return nil, err
		}
	}
	if page.Token != "" {
		p.Resumed = true
		return p, p.resume(page.Token)
	}
	if p.Skipped() > maxSkipped {
		return nil, fault("The member \"page\" has more than %d hits before it at /page/properties: continue the list by its tokens.", maxSkipped)
	}
	return p, nil
}

// Skipped returns how many hits come before the page.
func (p *Page) Skipped() int {
	if p.Number <= 1 || p.Resumed {
		return 0
	}
	return (p.Number - 1) * p.Limit
}

func (p *Page) readProperty(name string, value any) error {
	s, isString := value.(string)
	switch name {
	case "sort":
		if p.Sort = facts.SortKey(s); !isString || !slices.Contains(sortKeys, p.Sort) {
			return fault("The member \"sort\" is none of %s at /page/properties.", joined(sortKeys))
		}
	case "order":
		if !isString || s != "asc" && s != "desc" {
			return fault("The member \"order\" is neither asc nor desc at /page/properties.")
		}
		p.Descending = s == "desc"
	case "query":
		if p.Query = s; !isString {
			return fault("The member \"query\" is not a string at /page/properties.")
		}
	case "page":
		number, _ := value.(json.Number)
		n, ok := authzen.WholeNumber(number, maxNumber+1)
		if !ok || n < 1 || n > maxNumber {
			return fault("The member \"page\" is not a whole number from 1 to %d at /page/properties.", maxNumber)
		}
		p.Number = n
	case "fields":
		list, isList := value.([]any)
		for _, element := range list {
			field, _ := element.(string)
			p.Fields = append(p.Fields, field)
		}
		unknown := func(field string) bool { return !slices.Contains(allFields, field) }
		if !isList || slices.ContainsFunc(p.Fields, unknown) {
			return fault("The member \"fields\" is not a list of %s at /page/properties.", joined(allFields))
		}
	}
	return nil
}

// joined formats a list for a message.
func joined[T ~string](all []T) string {
	names := make([]string, len(all))
	for i, name := range all {
		names[i] = string(name)
	}
	return strings.Join(names, ", ")
}
