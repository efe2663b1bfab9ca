package rotation

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// A part of a file may well be a whole one that says something else: what is being written is read once it is finished.
var (
	errUnsettled = errors.New("changed while it was read")
	// ErrWritten says that somebody has the file open for writing.
	ErrWritten = errors.New("is being written")
)

// Unsettled says whether to read again soon.
func Unsettled(err error) bool {
	return errors.Is(err, errUnsettled) || errors.Is(err, ErrWritten)
}

// rest is how long a file must have been left alone where its writers cannot be known.
const rest = 2 * time.Second

// inHand says whether somebody is, or may well be, in the middle of writing a file.
func inHand(file *os.File, info os.FileInfo) bool {
	writing, known := beingWritten(file)
	return unfinished(writing, known, time.Since(info.ModTime()))
}

func unfinished(writing, known bool, age time.Duration) bool {
	return writing || !known && age < rest
}

// Read reads a regular file of at most limit bytes. It fails where the file is being written: see [Unsettled].
func Read(path string, limit int64) ([]byte, error) {
	data, _, err := read(path, false, limit)
	return data, err
}

// read also gives what the file looked like before it was read. Discreet keeps the path out of its own errors.
func read(path string, discreet bool, limit int64) ([]byte, os.FileInfo, error) {
	name := path
	if discreet {
		name = "it"
	}
	before, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !before.Mode().IsRegular() { // to open a pipe would wait for its writer
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
	if inHand(file, before) {
		return nil, nil, fmt.Errorf("%s %w", name, ErrWritten)
	}
	data := make([]byte, before.Size())
	if _, err := io.ReadFull(file, data); err != nil {
		return nil, nil, fmt.Errorf("%s %w", name, errUnsettled)
	}
	if inHand(file, before) { // who began meanwhile
		return nil, nil, fmt.Errorf("%s %w", name, ErrWritten)
	}
	after, err := file.Stat() // who also finished meanwhile
	if err != nil {
		return nil, nil, err
	}
	if !SameState(before, after) {
		return nil, nil, fmt.Errorf("%s %w", name, errUnsettled)
	}
	return data, before, nil
}

// SameState says whether a file was neither written nor replaced between two looks, nor made readable.
func SameState(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Mode() == b.Mode() && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
