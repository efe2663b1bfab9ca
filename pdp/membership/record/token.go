package record

import (
	"bytes"
	"path/filepath"
)

// Kind says what a value of the document is. It is as far as JSON and YAML differ: each only delivers tokens, and
// everything that is checked is checked behind them.
type Kind uint8

const (
	KindObject Kind = iota
	KindArray
	KindText
	KindNumber
	KindBoolean
	KindNull
	KindTimestamp // of YAML, a date or time that is not quoted; its text is kept as written
	KindRefused   // of YAML, what a directory may not use; its text says what
	KindEnd       // of the innermost object or list
)

// String names a kind in a fault.
func (k Kind) String() string {
	return [...]string{"an object", "a list", "text", "a number", "a boolean", "null", "a timestamp", "refused", ""}[k]
}

// Token is the next step through a document: a scalar, or where an object or list begins or ends. Within an object,
// names and values alternate.
type Token struct {
	Kind Kind
	Text string // of a scalar
}

// Tokenizer reads one document. After its end, next gives io.EOF, or an error where anything follows.
type Tokenizer interface {
	Next() (Token, error)
}

// Format is how a directory document is written.
type Format uint8

// The formats. Auto takes JSON where the first character is a brace, else YAML.
const (
	Auto Format = iota
	JSON
	YAML
)

func FormatOf(path string) Format {
	switch filepath.Ext(path) {
	case ".json":
		return JSON
	case ".yaml", ".yml":
		return YAML
	}
	return Auto
}

// Of settles Auto.
func (f Format) Of(data []byte) Format {
	switch {
	case f != Auto:
		return f
	case bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")):
		return JSON
	}
	return YAML
}
