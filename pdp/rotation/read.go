package rotation

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Part of a file can be valid and mean something else, so a file is not read while it is being written.
var (
	errUnsettled = errors.New("changed while it was read")
	// ErrBeingWritten reports that the file is open for writing.
	ErrBeingWritten = errors.New("is being written")
)

// Unsettled reports whether an error is temporary, so that the file should be read again soon.
func Unsettled(err error) bool {
	return errors.Is(err, errUnsettled) || errors.Is(err, ErrBeingWritten)
}

// quietPeriod is how long a file must have been unchanged if it is unknown whether it is open for writing.
const quietPeriod = 2 * time.Second

// beingChanged reports whether a file is being written, or may be.
func beingChanged(file *os.File, info os.FileInfo) bool {
	writing, known := beingWritten(file)
	return mayChange(writing, known, time.Since(info.ModTime()))
}

func mayChange(writing, known bool, age time.Duration) bool {
	return writing || !known && age < quietPeriod
}

// Read reads a regular file of at most limit bytes. It fails while somebody writes the file: see [Unsettled].
func Read(path string, limit int64) ([]byte, error) {
	data, _, err := read(path, false, limit)
	return data, err
}

// read also returns the state of the file before it was read. hidePath keeps the path out of its own errors.
func read(path string, hidePath bool, limit int64) ([]byte, os.FileInfo, error) {
	name := path
	if hidePath {
		name = "it"
	}
	before, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !before.Mode().IsRegular() { // opening a pipe would block until somebody writes to it
		return nil, nil, fmt.Errorf("%s is not a regular file", name)
	}
	if before.Size() > limit {
		return nil, nil, fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	if beingChanged(file, before) {
		return nil, nil, fmt.Errorf("%s %w", name, ErrBeingWritten)
	}
	data := make([]byte, before.Size())
	if _, err := io.ReadFull(file, data); err != nil {
		return nil, nil, fmt.Errorf("%s %w", name, errUnsettled)
	}
	if beingChanged(file, before) { // a writer that began during the read
		return nil, nil, fmt.Errorf("%s %w", name, ErrBeingWritten)
	}
	after, err := file.Stat() // a writer that began and finished during the read
	if err != nil {
		return nil, nil, err
	}
	if !SameState(before, after) {
		return nil, nil, fmt.Errorf("%s %w", name, errUnsettled)
	}
	return data, before, nil
}

// SameState reports whether a file was neither written nor replaced, and kept its mode, between two calls of [os.Stat]. Nil
// stands for a missing file.
func SameState(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Mode() == b.Mode() && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
