package membership

import (
	"bytes"
	"path/filepath"
)

// kind says what a value of the document is. It is as far as JSON and YAML differ: each only delivers tokens, and
// everything that is checked is checked behind them.
type kind uint8

const (
	kindObject kind = iota
	kindArray
	kindText
	kindNumber
	kindBoolean
	kindNull
	kindTimestamp // of YAML, a date or time that is not quoted; its text is kept as written
	kindRefused   // of YAML, what a directory may not use; its text says what
	kindEnd       // of the innermost object or list
)

// String names a kind in a fault.
func (k kind) String() string {
	return [...]string{"an object", "a list", "text", "a number", "a boolean", "null", "a timestamp", "refused", ""}[k]
}

// token is the next step through a document: a scalar, or where an object or list begins or ends. Within an object,
// names and values alternate.
type token struct {
	kind kind
	text string // of a scalar
}

// tokenizer reads one document. After its end, next gives io.EOF, or an error where anything follows.
type tokenizer interface {
	next() (token, error)
}

// Format is how a directory document is written.
type Format uint8

// The formats. Auto takes JSON where the first character is a brace, else YAML.
const (
	Auto Format = iota
	JSON
	YAML
)

func formatOf(path string) Format {
	switch filepath.Ext(path) {
	case ".json":
		return JSON
	case ".yaml", ".yml":
		return YAML
	}
	return Auto
}

// of settles Auto.
func (f Format) of(data []byte) Format {
	switch {
	case f != Auto:
		return f
	case bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")):
		return JSON
	}
	return YAML
}
