package record

import (
	"bytes"
	"path/filepath"
)

// Kind is the kind of a [Token]. JSON and YAML differ only in how they produce tokens; all checks work on tokens.
type Kind uint8

// The kinds of tokens.
const (
	KindObject Kind = iota
	KindArray
	KindText
	KindNumber
	KindBoolean
	KindNull
	KindTimestamp // YAML only: an unquoted date or time; its text is as written
	KindRefused   // YAML only: a construct that a directory must not use; its text says which
	KindEnd       // of the innermost object or list
)

// String returns the name of the kind for a fault.
func (k Kind) String() string {
	return [...]string{"an object", "a list", "text", "a number", "a boolean", "null", "a timestamp", "refused", ""}[k]
}

// Token is one step through a document: a scalar, or the beginning or end of an object or list. Within an object, names
// and values alternate.
type Token struct {
	Kind Kind
	Text string // of a scalar
}

// Tokenizer reads one document.
type Tokenizer interface {
	// Next returns the next token. After the last token it returns io.EOF, or an error if anything follows the document.
	Next() (Token, error)
}

// Format is the format of a directory document.
type Format uint8

// The formats. Auto means JSON if the first character is a brace, otherwise YAML.
const (
	Auto Format = iota
	JSON
	YAML
)

// FormatOf returns the format for a file's extension; Auto for any other extension.
func FormatOf(path string) Format {
	switch filepath.Ext(path) {
	case ".json":
		return JSON
	case ".yaml", ".yml":
		return YAML
	}
	return Auto
}

// Of returns the format of data. If f is Auto, the data decides.
func (f Format) Of(data []byte) Format {
	switch {
	case f != Auto:
		return f
	case bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")):
		return JSON
	}
	return YAML
}
