package decisionrecord

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// hidden begins each pseudonym, and no id that is kept.
const hidden = "~"

// maxPseudonyms limits the pseudonyms that are kept, because making one takes longer than finding it.
const maxPseudonyms = 16 << 10

// private replaces what must not be kept. It is safe for concurrent use.
type private struct {
	key        []byte
	pseudonyms bool // all ids are replaced but those of locations
	verbatim   bool // nothing is replaced: the values come from a record

	mu   sync.RWMutex
	made map[string]string // pseudonyms, by what they stand for
}

func newPrivate(key []byte, pseudonyms bool) *private {
	return &private{key: key, pseudonyms: pseudonyms, made: map[string]string{}}
}

// Pseudonym returns the pseudonym of an id under a key, as it is in records.
func Pseudonym(key []byte, id string) string { return newPrivate(key, true).hide(id) }

// hide returns the pseudonym of a text; "" for "".
func (p *private) hide(text string) string {
	if text == "" || p.verbatim {
		return text
	}
	p.mu.RLock()
	pseudonym, ok := p.made[text]
	p.mu.RUnlock()
	if ok {
		return pseudonym
	}
	mac := hmac.New(sha256.New, p.key)
	mac.Write([]byte(text))
	pseudonym = hidden + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:15])
	if len(text) > maxIdentifier { // a caller must not fill the memory
		return pseudonym
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.made) >= maxPseudonyms {
		clear(p.made)
	}
	p.made[text] = pseudonym
	return pseudonym
}

// code returns a word of the policy or of the protocol, such as a role or a type, or the id of a location. What does not look
// like one is replaced.
func (p *private) code(text string) string {
	if p.verbatim || isIdentifier(text) {
		return text
	}
	return p.hide(text)
}

// id returns the id of a person, or of anything else that is no location.
func (p *private) id(text string) string {
	if p.pseudonyms {
		return p.hide(text)
	}
	return p.code(text)
}

// username returns a pseudonym that is a well-formed username if the text is one.
func (p *private) username(text string) string {
	if p.verbatim || text == "" || facts.IsUsername(text) {
		return p.hide(text)
	}
	return p.hide(text) + " " // no username ends with a space
}

const maxIdentifier = 128

// isIdentifier reports whether a text looks like an id and not like a name, an address or a sentence.
func isIdentifier(text string) bool {
	if len(text) > maxIdentifier || text != "" && strings.IndexByte(insideIdentifier, text[0]) >= 0 {
		return false
	}
	for i := range len(text) {
		if !inIdentifier[text[i]] {
			return false
		}
	}
	return true
}

// insideIdentifier has what an identifier may contain but not begin with.
const insideIdentifier = "._-:/+"

// inIdentifier says which bytes an identifier may contain. None of them is escaped in JSON.
var inIdentifier = bytesOf(insideIdentifier)

// bytesOf returns a table of letters and digits of ASCII, and more.
func bytesOf(more string) (table [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" + more) {
		table[c] = true
	}
	return table
}

// appendCode appends what code returns as a JSON string.
func (p *private) appendCode(out []byte, text string) []byte {
	if isIdentifier(text) {
		return appendPlain(out, text)
	}
	return authzen.AppendString(out, p.code(text))
}

// appendID appends what id returns as a JSON string.
func (p *private) appendID(out []byte, text string) []byte {
	if p.pseudonyms {
		return p.appendHidden(out, text)
	}
	return p.appendCode(out, text)
}

// appendHidden appends what hide returns as a JSON string.
func (p *private) appendHidden(out []byte, text string) []byte {
	return authzen.AppendString(out, p.hide(text))
}

// appendPlain appends a text that has nothing to escape as a JSON string.
func appendPlain(out []byte, text string) []byte {
	return append(append(append(out, '"'), text...), '"')
}

// outline returns a value of the same type that says nothing else: rules that ask only whether something is given, and whether
// it has the right type, decide the same by it.
func outline(value any) any {
	switch value := value.(type) {
	case nil, bool:
		return value
	case string:
		if value == "" {
			return ""
		}
		return hidden
	case []any:
		all := make([]any, len(value))
		for i := range value {
			all[i] = outline(value[i])
		}
		return all
	case map[string]any:
		return map[string]any{}
	}
	return json.Number("0")
}
