package authzen

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// DecodeSubjectSearch reads a subject search (section 8.4): the subject's id does not count and is dropped.
// Every error is an [*Error].
func DecodeSubjectSearch(body []byte) (Search, error) {
	return decodeSearch(body, form{"subject", "type", false}, &actionForm, resourceForm)
}

// DecodeResourceSearch reads a resource search (section 8.5): the resource's id does not count and is dropped.
// Every error is an [*Error].
func DecodeResourceSearch(body []byte) (Search, error) {
	return decodeSearch(body, subjectForm, &actionForm, form{"resource", "type", false})
}

// DecodeActionSearch reads an action search (section 8.6): an action does not count and is dropped.
// Every error is an [*Error].
func DecodeActionSearch(body []byte) (Search, error) {
	return decodeSearch(body, subjectForm, nil, resourceForm)
}

// decodeSearch reads a search with these forms; action is nil where none counts.
func decodeSearch(body []byte, subject form, action *form, resource form) (Search, error) {
	p := open(body)
	defer p.close()
	var s, a, r part
	var context map[string]any
	var contextErr error
	var page *Page
	err := p.message(func(name string) (err error) {
		switch {
		case name == "subject":
			s, err = p.part(subject, top)
		case name == "resource":
			r, err = p.part(resource, top)
		case name == "action" && action != nil:
			a, err = p.part(*action, top)
		case name == "context":
			context, err = p.free(top.pointer, name, &contextErr)
		case name == "page":
			page, err = p.page()
		default:
			err = p.skip()
		}
		return err
	})
	if err != nil {
		return Search{}, err
	}
	if err := s.check(subject, top); err != nil {
		return Search{}, err
	}
	if action != nil {
		if err := a.check(*action, top); err != nil {
			return Search{}, err
		}
	}
	if err := r.check(resource, top); err != nil {
		return Search{}, err
	}
	if contextErr != nil {
		return Search{}, contextErr
	}
	return Search{Subject: s.entity(), Action: a.asAction(), Resource: r.entity(), Context: context, Page: page}, nil
}

// page reads what is asked of paging (section 8.2); null is nil.
func (p *parser) page() (*Page, error) {
	switch p.dec.PeekKind() {
	case 'n':
		return nil, p.skip()
	case '{', 0:
	default:
		if err := p.skip(); err != nil {
			return nil, err
		}
		return nil, fail("", quoted("page")+" is not an object", "send an object, or leave it out")
	}
	var page Page
	err := p.object(func(name string) error {
		if name != "token" && name != "limit" && name != "properties" {
			return p.skip()
		}
		v, err := p.value()
		if err != nil || v == nil {
			return err
		}
		return page.set(name, v)
	})
	if err != nil {
		return nil, err
	}
	return &page, nil
}

func (page *Page) set(name string, v any) error {
	var ok bool
	switch name {
	case "token":
		if page.Token, ok = v.(string); !ok {
			return fail("/page", quoted(name)+" is not a string", "send the token of the page before, or leave it out")
		}
	case "properties":
		if page.Properties, ok = v.(map[string]any); !ok {
			return fail("/page", quoted(name)+" is not an object", "send an object, or leave it out")
		}
	case "limit":
		n, _ := v.(json.Number)
		limit, ok := WholeNumber(n, MaxLimit)
		if !ok {
			return fail("/page", quoted(name)+" is no number of hits", "send a whole number from 0 to "+strconv.Itoa(MaxLimit))
		}
		page.Limit = &limit
	}
	return nil
}

// maxShift is more places than any number has: what an exponent says beyond that makes no difference.
const maxShift = 1 << 30

// WholeNumber reads a whole number that is not negative, however it is written (3, 3.0, 30e-1). One above most is most. Exponents
// are not multiplied out, so that a number costs no more than its length.
func WholeNumber(n json.Number, most int) (int, bool) {
	text, negative := strings.CutPrefix(strings.ToLower(string(n)), "-")
	mantissa, exponent, scientific := strings.Cut(text, "e")
	before, after, _ := strings.Cut(mantissa, ".")
	digits := before + after
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	shift := 0
	if scientific {
		var err error
		if shift, err = strconv.Atoi(exponent); err != nil && !errors.Is(err, strconv.ErrRange) {
			return 0, false
		}
	}
	significant := strings.TrimLeft(digits, "0")
	// The decimal point is behind so many of the significant digits.
	point := len(before) - (len(digits) - len(significant)) + max(min(shift, maxShift), -maxShift)
	significant = strings.TrimRight(significant, "0")
	switch {
	case significant == "":
		return 0, true
	case negative || point < len(significant):
		return 0, false
	case point > len(strconv.Itoa(most)):
		return most, true
	}
	value, err := strconv.Atoi(significant + strings.Repeat("0", point-len(significant)))
	return min(value, most), err == nil || errors.Is(err, strconv.ErrRange)
}
