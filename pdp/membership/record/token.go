package record

import (
	"bytes"
	"path/filepath"
)

// Kind says what a [Token] is. JSON and YAML differ only up to here: each delivers tokens, and every check lies behind
// them.
type Kind uint8

// The kinds of tokens.
const (
	KindObject Kind = iota
	KindArray
	KindText
	KindNumber
	KindBoolean
	KindNull
	KindTimestamp // of YAML, an unquoted date or time; its text is as written
	KindRefused   // of YAML, something a directory may not use; its text says what
	KindEnd       // of the innermost object or list
)

// String names the kind in a fault.
func (k Kind) String() string {
	return [...]string{"an object", "a list", "text", "a number", "a boolean", "null", "a timestamp", "refused", ""}[k]
}

// Token is the next step through a document: a scalar, or where an object or list begins or ends. Within an object,
// names and values alternate.
type Token struct {
	Kind Kind
	Text string // of a scalar
}

// Tokenizer reads one document.
type Tokenizer interface {
	// Next returns the next token. After the last it returns io.EOF, or an error if anything follows.
	Next() (Token, error)
}

// Format is how a directory document is written.
type Format uint8

// The formats. Auto means JSON if the first character is a brace, otherwise YAML.
const (
	Auto Format = iota
	JSON
	YAML
)

// FormatOf returns the format of a file by its extension, Auto for any other.
func FormatOf(path string) Format {
	switch filepath.Ext(path) {
	case ".json":
		return JSON
	case ".yaml", ".yml":
		return YAML
	}
	return Auto
}

// Of returns the format of data, which decides Auto.
func (f Format) Of(data []byte) Format {
	switch {
	case f != Auto:
		return f
	case bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")):
		return JSON
	}
	return YAML
}
