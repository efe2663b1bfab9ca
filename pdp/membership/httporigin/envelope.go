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

	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// envelope decodes the JSON around the records of an answer. It rejects unknown members, because one could be a
// misspelled version. Records are passed on unchecked, so that a faulty record does not invalidate a whole list. Errors
// do not quote the answer.
type envelope struct {
	in       *jsontext.Decoder
	tooLarge []byte // the last user's record that is
}

// member is a member that an object of the envelope may have.
type member struct {
	name     string
	required bool
	read     func() error
}

// readEnvelope decodes a whole answer.
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
			return e.syntaxError(err)
		}
		i := slices.IndexFunc(members, func(m member) bool { return m.name == name.String() })
		switch {
		case i < 0:
			return errors.New("an object has an unknown member")
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
	return e.token('}')
}

func (e *envelope) list(maxItems int, item func() error) error {
	if err := e.open('['); err != nil {
		return err
	}
	for n := 0; ; n++ {
		switch e.in.PeekKind() {
		case ']', 0:
			return e.token(']')
		}
		if n == maxItems {
			return fmt.Errorf("there are more than %d", maxItems)
		}
		if err := item(); err != nil {
			return err
		}
	}
}

// open reads the opening delimiter of an object or an array.
func (e *envelope) open(k jsontext.Kind) error {
	if got := e.in.PeekKind(); got != k && got != 0 {
		return errors.New("a value is of the wrong type")
	}
	return e.token(k)
}

func (e *envelope) token(k jsontext.Kind) error {
	t, err := e.in.ReadToken()
	if err != nil {
		return e.syntaxError(err)
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
		return nil, e.syntaxError(err)
	}
	return raw, nil
}

// syntaxError returns err with its offset but without the text at that offset.
func (e *envelope) syntaxError(err error) error {
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

// record reads a value unchanged. It copies the value, so that a record does not keep a long answer in memory.
func (e *envelope) record(into *[]byte, k jsontext.Kind, maxBytes int) func() error {
	return func() error {
		raw, err := e.value(k)
		if err == nil && len(raw) > maxBytes {
			err = fmt.Errorf("it is larger than %d bytes", maxBytes)
		}
		*into = bytes.Clone(raw)
		return err
	}
}

// number reads an integer from 1 to [pdp.MaxVersion].
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

// history reads a [membership.RawRecord.History].
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
			return e.syntaxError(err)
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
	// AppendUnquote fails for half of a surrogate pair.
	id, err := jsontext.AppendUnquote(nil, raw)
	if err != nil || !facts.ValidID(string(id)) {
		return "", errors.New("one is not a valid id")
	}
	return string(id), nil
}
