package client

import (
	"bytes"
	"strconv"
	"strings"
)

// framing follows an answer, to hand it out in pieces that do not reach beyond its end: the transport logs what it finds there,
// and an answer may name persons (PEP-11). It only chooses the size of the pieces, so that a malformed answer does no harm.
type framing struct {
	line   []byte // the begin of the line of the header that has begun
	body   bool   // the header has ended
	length bool   // the header has a Content-Length
	left   int    // bytes of the body, if there is a length
}

const (
	maxLine = 64 // bytes of a line of the header that are kept
	// smallPiece is for bodies without a length: at most three bytes beyond their end are handed out.
	smallPiece = 4
)

// piece returns how many of the received bytes to hand out at once. There is at least one.
func (f *framing) piece(received []byte) int {
	switch {
	case !f.body: // a line
		if end := bytes.IndexByte(received, '\n'); end >= 0 {
			return end + 1
		}
		return len(received)
	case f.left > 0:
		return min(f.left, len(received))
	case f.length:
		return 1 // beyond the end
	}
	return min(smallPiece, len(received))
}

// advance follows a piece that has been handed out.
func (f *framing) advance(piece []byte) {
	if f.body {
		f.left = max(f.left-len(piece), 0)
		return
	}
	f.line = append(f.line, piece[:min(len(piece), maxLine-len(f.line))]...)
	if !bytes.HasSuffix(piece, []byte("\n")) {
		return
	}
	line := string(bytes.TrimRight(f.line, "\r\n"))
	f.line = f.line[:0]
	if line == "" {
		f.body = true
		return
	}
	if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "Content-Length") {
		if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && n >= 0 {
			f.length, f.left = true, n
		}
	}
}
