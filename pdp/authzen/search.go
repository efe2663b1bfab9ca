package authzen

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// DecodeSubjectSearch decodes a subject search (PROTOCOL.md section 8). It ignores the id of the subject.
// Every error is an [*Error].
func DecodeSubjectSearch(body []byte) (Search, error) {
	return decodeSearch(body, partSpec{"subject", "type", false}, &actionSpec, resourceSpec)
}

// DecodeResourceSearch decodes a resource search (PROTOCOL.md section 8). It ignores the id of the resource.
// Every error is an [*Error].
func DecodeResourceSearch(body []byte) (Search, error) {
	return decodeSearch(body, subjectSpec, &actionSpec, partSpec{"resource", "type", false})
}

// DecodeActionSearch decodes an action search (PROTOCOL.md section 8). It ignores the action.
// Every error is an [*Error].
func DecodeActionSearch(body []byte) (Search, error) {
	return decodeSearch(body, subjectSpec, nil, resourceSpec)
}

// decodeSearch decodes a search. A nil action means that the action is ignored.
func decodeSearch(body []byte, subject partSpec, action *partSpec, resource partSpec) (Search, error) {
	p := newParser(body)
	defer p.release()
	var s, a, r part
	var context map[string]any
	var contextErr error
	var page *Page
	err := p.topLevelObject(func(name string) (err error) {
		switch {
		case name == "subject":
			s, err = p.part(subject, topLevel)
		case name == "resource":
			r, err = p.part(resource, topLevel)
		case name == "action" && action != nil:
			a, err = p.part(*action, topLevel)
		case name == "context":
			context, err = p.objectMember(topLevel.pointer, name, &contextErr)
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
	if err := s.check(subject, topLevel); err != nil {
		return Search{}, err
	}
	if action != nil {
		if err := a.check(*action, topLevel); err != nil {
			return Search{}, err
		}
	}
	if err := r.check(resource, topLevel); err != nil {
		return Search{}, err
	}
	if contextErr != nil {
		return Search{}, contextErr
	}
	return Search{Subject: s.entity(), Action: a.toAction(), Resource: r.entity(), Context: context, Page: page}, nil
}

// page decodes the page member (PROTOCOL.md section 8); null is nil.
func (p *parser) page() (*Page, error) {
	switch p.dec.PeekKind() {
	case 'n':
		return nil, p.skip()
	case '{', 0:
	default:
		if err := p.skip(); err != nil {
			return nil, err
		}
		return nil, newError("", quoted("page")+" is not an object", "send an object, or leave it out")
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

// set sets a member to its decoded value.
func (page *Page) set(name string, v any) error {
	var ok bool
	switch name {
	case "token":
		if page.Token, ok = v.(string); !ok {
			return newError("/page", quoted(name)+" is not a string", "send the next_token of the previous page, or leave it out")
		}
	case "properties":
		if page.Properties, ok = v.(map[string]any); !ok {
			return newError("/page", quoted(name)+" is not an object", "send an object, or leave it out")
		}
	case "limit":
		n, _ := v.(json.Number)
		limit, ok := WholeNumber(n, MaxLimit)
		if !ok {
			return newError("/page", quoted(name)+" is not a valid number of results", "send a whole number from 0 to "+strconv.Itoa(MaxLimit))
		}
		page.Limit = &limit
	}
	return nil
}

// maxShift limits exponents. It exceeds the number of digits of any number, so larger exponents change nothing.
const maxShift = 1 << 30

// WholeNumber converts a non-negative whole number in any notation (3, 3.0, 30e-1). A number greater than limit becomes
// limit. It does not expand exponents, so its cost depends only on the length of the text. The result is false for
// anything else.
func WholeNumber(n json.Number, limit int) (int, bool) {
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
	// point is the position of the decimal point within the significant digits.
	point := len(before) - (len(digits) - len(significant)) + max(min(shift, maxShift), -maxShift)
	significant = strings.TrimRight(significant, "0")
	switch {
	case significant == "":
		return 0, true
	case negative || point < len(significant):
		return 0, false
	case point > len(strconv.Itoa(limit)):
		return limit, true
	}
	value, err := strconv.Atoi(significant + strings.Repeat("0", point-len(significant)))
	return min(value, limit), err == nil || errors.Is(err, strconv.ErrRange)
}
