package decisionlog

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

var (
	errTorn = errors.New("the line does not end")
	errLong = errors.New("the line is longer than any that is written")
)

// lineReader reads lines of at most [maxLine] bytes.
type lineReader struct {
	r    *bufio.Reader
	line []byte
	size int // of the last line in the file, with its line feed
}

func newLineReader(r io.Reader) *lineReader { return &lineReader{r: bufio.NewReaderSize(r, 64<<10)} }

// next returns a line without its line feed, valid until the next call. After the last line it returns [io.EOF]. Of a line that is
// too long or has no end it returns nothing, and the next call goes on after it.
func (r *lineReader) next() ([]byte, error) {
	r.line, r.size = r.line[:0], 0
	for {
		part, err := r.r.ReadSlice('\n')
		r.size += len(part)
		if len(r.line)+len(part) <= maxLine {
			r.line = append(r.line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == io.EOF && r.size == 0:
			return nil, io.EOF
		case err == io.EOF:
			return nil, errTorn
		case err != nil:
			return nil, err
		case r.size != len(r.line):
			return nil, errLong
		}
		return bytes.TrimSuffix(r.line, []byte("\n")), nil
	}
}

// open opens a segment, which may have been compressed since it was listed. The error is [fs.ErrNotExist] if it has been deleted.
func (s segment) open(dir string) (io.ReadCloser, error) {
	if !s.packed {
		f, err := os.Open(filepath.Join(dir, s.name()))
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		s.packed = true
	}
	f, err := os.Open(filepath.Join(dir, s.name()))
	if err != nil {
		return nil, err
	}
	return &packedFile{file: f}, nil
}

// packedFile decompresses a segment. Its errors tell a damaged file, which is a [corruption], from one that cannot be read.
type packedFile struct {
	file   *os.File
	failed error // of the file
	z      *gzip.Reader
}

// corruption is an error of a compressed file's content.
type corruption struct{ error }

// Read implements [io.Reader].
func (p *packedFile) Read(to []byte) (int, error) {
	if p.z == nil {
		z, err := gzip.NewReader(bufio.NewReader(readerFunc(p.readFile)))
		if err != nil {
			return 0, p.classify(err)
		}
		p.z = z
	}
	n, err := p.z.Read(to)
	if err != nil && err != io.EOF {
		err = p.classify(err)
	}
	return n, err
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(to []byte) (int, error) { return f(to) }

func (p *packedFile) readFile(to []byte) (int, error) {
	n, err := p.file.Read(to)
	if err != nil && err != io.EOF {
		p.failed = err
	}
	return n, err
}

func (p *packedFile) classify(err error) error {
	if p.failed != nil {
		return p.failed
	}
	if err == io.EOF { // an empty file
		err = io.ErrUnexpectedEOF
	}
	return corruption{fmt.Errorf("the compressed file is damaged: %w", err)}
}

// Close implements [io.Closer].
func (p *packedFile) Close() error { return p.file.Close() }
