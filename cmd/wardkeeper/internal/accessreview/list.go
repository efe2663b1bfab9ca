package accessreview

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Format is how lists are written.
type Format string

// The formats.
const (
	CSV  Format = "csv"  // RFC 4180, with a header
	JSON Format = "json" // one object a line
)

func (f Format) extension() string {
	if f == JSON {
		return ".jsonl"
	}
	return ".csv"
}

// List is one list of a review. It keeps nothing in memory.
type List struct {
	file    *os.File
	buffer  *bufio.Writer
	csv     *csv.Writer // nil for JSON
	sum     hash.Hash
	columns []string
	cells   []string
	line    bytes.Buffer
	written File
	err     error
}

func newList(name string, columns []string, format Format, file *os.File) *List {
	l := &List{file: file, sum: newHash(), columns: columns, written: File{Name: name}}
	l.buffer = bufio.NewWriterSize(io.MultiWriter(file, l.sum), 64<<10)
	if format == CSV {
		l.csv = csv.NewWriter(l.buffer)
		l.err = l.csv.Write(columns)
	}
	return l
}

// Add writes a row: for each column a string, an int, a bool or a time, of which the zero time is absent.
func (l *List) Add(values ...any) error {
	if len(values) != len(l.columns) {
		return fmt.Errorf("a row of %d cells for %d columns", len(values), len(l.columns))
	}
	l.written.Rows++
	if l.csv == nil {
		return l.addJSON(values)
	}
	l.cells = l.cells[:0]
	for _, value := range values {
		l.cells = append(l.cells, cell(value))
	}
	return errors.Join(l.err, l.csv.Write(l.cells))
}

func cell(value any) string {
	switch v := value.(type) {
	case string:
		return safe(v)
	case int:
		return strconv.Itoa(v)
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case time.Time:
		if v.IsZero() {
			return ""
		}
		return v.UTC().Format(time.RFC3339)
	}
	return safe(fmt.Sprint(value))
}

// safe returns a text that no spreadsheet takes for a formula. One that begins like a formula, also behind white space or in the wide
// forms of its characters, gets an apostrophe before it, as OWASP advises against CSV injection; so does one that begins with white
// space, which some programs cut off.
func safe(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size > 0 && (strings.ContainsRune("=+-@|%＝＋－＠'", first) || unicode.IsSpace(first) || unicode.IsControl(first)) {
		return "'" + text
	}
	return text
}

// addJSON writes a row as an object with its members in the order of the columns.
func (l *List) addJSON(values []any) error {
	l.line.Reset()
	for i, value := range values {
		if at, isTime := value.(time.Time); isTime {
			if value = nil; !at.IsZero() {
				value = at.UTC().Format(time.RFC3339)
			}
		}
		member, err := json.Marshal(value)
		if err != nil {
			return err
		}
		separator := byte(',')
		if i == 0 {
			separator = '{'
		}
		l.line.WriteByte(separator)
		l.line.WriteString(strconv.Quote(l.columns[i]) + ":")
		l.line.Write(member)
	}
	l.line.WriteString("}\n")
	_, err := l.buffer.Write(l.line.Bytes())
	return err
}

// close writes everything to disk.
func (l *List) close() (File, error) {
	if l.csv != nil {
		l.csv.Flush()
		l.err = errors.Join(l.err, l.csv.Error())
	}
	if err := errors.Join(l.err, l.buffer.Flush(), l.file.Sync()); err != nil {
		return File{}, errors.Join(err, l.file.Close())
	}
	info, err := l.file.Stat()
	if err = errors.Join(err, l.file.Close()); err != nil {
		return File{}, err
	}
	l.written.Size, l.written.SHA256 = info.Size(), hex.EncodeToString(l.sum.Sum(nil))
	return l.written, nil
}

func hashFile(path string) (hash.Hash, int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = file.Close() }()
	sum := newHash()
	size, err := io.Copy(sum, file)
	return sum, size, err
}

func readBounded(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return data, err
}
