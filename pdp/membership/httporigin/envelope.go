package httporigin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/wardkeeper/wardkeeper/pdp"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// envelope reads what stands around the records of an answer, strictly: an unknown member could be a misspelt version.
// Records are passed on as they are, faults and all, so that one of them does not spoil a list. Its errors repeat nothing
// of the answer.
type envelope struct {
	in *jsontext.Decoder
}

// member is one that an object of the envelope may have.
type member struct {
	name     string
	required bool
	read     func() error
}

// readEnvelope reads a whole answer.
func readEnvelope(body []byte, members func(*envelope) []member) error {
	e := &envelope{in: jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
	if err := e.object(members(e)...); err != nil {
		return err
	}
	if _, err := e.in.ReadToken(); err != io.EOF {
		return record.ErrTrailing
	}
	return nil
}

func (e *envelope) object(members ...member) error {
	if err := e.open('{'); err != nil {
		return err
	}
	seen := make([]bool, len(members))
	for e.in.PeekKind() == '"' {
		name, err := e.in.ReadToken()
		if err != nil {
			return e.unreadable(err)
		}
		i := slices.IndexFunc(members, func(m member) bool { return m.name == name.String() })
		switch {
		case i < 0:
			return errors.New("an object has a member that it may not have")
		case seen[i]:
			return fmt.Errorf("%s is there twice", members[i].name)
		}
		seen[i] = true
		if err := members[i].read(); err != nil {
			return fmt.Errorf("%s: %w", members[i].name, err)
		}
	}
	for i, m := range members {
		if m.required && !seen[i] {
			return fmt.Errorf("%s is missing", m.name)
		}
	}
	return e.close('}')
}

func (e *envelope) list(longest int, item func() error) error {
	if err := e.open('['); err != nil {
		return err
	}
	for n := 0; ; n++ {
		switch e.in.PeekKind() {
		case ']', 0:
			return e.close(']')
		}
		if n == longest {
			return fmt.Errorf("there are more than %d", longest)
		}
		if err := item(); err != nil {
			return err
		}
	}
}

func (e *envelope) open(k jsontext.Kind) error {
	if got := e.in.PeekKind(); got != k && got != 0 {
		return errors.New("a value is of the wrong type")
	}
	return e.close(k)
}

func (e *envelope) close(k jsontext.Kind) error {
	t, err := e.in.ReadToken()
	if err != nil {
		return e.unreadable(err)
	}
	if t.Kind() != k {
		return errors.New("a value is of the wrong type")
	}
	return nil
}

func (e *envelope) value(k jsontext.Kind) ([]byte, error) {
	if got := e.in.PeekKind(); got != k && got != 0 {
		return nil, errors.New("a value is of the wrong type")
	}
	raw, err := e.in.ReadValue()
	if err != nil {
		return nil, e.unreadable(err)
	}
	return raw, nil
}

// unreadable says where, and nothing of what stands there.
func (e *envelope) unreadable(err error) error {
	at := e.in.InputOffset()
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &syntax):
		at, err = syntax.ByteOffset, syntax.Err
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("byte %d: %s", at, record.JSONErrorText(err))
}

// record keeps no more than the record of what may be a long answer.
func (e *envelope) record(into *[]byte, k jsontext.Kind, largest int) func() error {
	return func() error {
		raw, err := e.value(k)
		if err == nil && len(raw) > largest {
			err = fmt.Errorf("it is larger than %d bytes", largest)
		}
		*into = bytes.Clone(raw)
		return err
	}
}

// number reads a whole number from 1 to [pdp.MaxVersion].
func (e *envelope) number(into *uint64) func() error {
	return func() error {
		raw, err := e.value('0')
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(string(raw), 10, 64)
		if err != nil || n < 1 || n > pdp.MaxVersion {
			return fmt.Errorf("it is not a whole number from 1 to %d", pdp.MaxVersion)
		}
		*into = n
		return nil
	}
}

// history reads what identifies the line of versions that a version belongs to.
func (e *envelope) history(into *string) func() error {
	return func() error {
		raw, err := e.value('"')
		if err != nil {
			return err
		}
		text, err := jsontext.AppendUnquote(nil, raw)
		if err != nil || len(text) == 0 || !membership.ValidHistory(string(text)) {
			return fmt.Errorf("it is not 1 to %d printable ASCII characters", membership.MaxHistory)
		}
		*into = string(text)
		return nil
	}
}

func (e *envelope) boolean(into *bool) func() error {
	return func() error {
		t, err := e.in.ReadToken()
		if err != nil {
			return e.unreadable(err)
		}
		if t.Kind() != 't' && t.Kind() != 'f' {
			return errors.New("it is neither true nor false")
		}
		*into = t.Bool()
		return nil
	}
}

func (e *envelope) id() (string, error) {
	raw, err := e.value('"')
	if err != nil {
		return "", err
	}
	// A half of a surrogate pair does not unquote.
	id, err := jsontext.AppendUnquote(nil, raw)
	if err != nil || !membership.ValidID(string(id)) {
		return "", errors.New("one is not a valid id")
	}
	return string(id), nil
}
