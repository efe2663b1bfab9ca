package hostile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/wardkeeper/wardkeeper/adapters/routes"
)

// Received is a request as it reached the application.
type Received struct {
	Raw                   []byte // the head as received; for a Go handler, written out again
	Method, Target, Proto string
	Host                  []string
	Header                http.Header // the other fields, by canonical name
	Body                  []byte
	// Faults describe, in clauses, what other programs could read in another way than this backend.
	Faults []string
}

// maxHead and maxBody bound what the backend reads, in bytes.
const (
	maxHead = 256 << 10
	maxBody = 1 << 20
)

// readRequest reads a request strictly. Deviations are recorded as faults of the request. If the connection ends before the
// head is complete, it returns nil and [io.EOF]. If only the body cannot be read, it returns the request and an error. If the
// client waits for leave to send the body, proceed is called before it is read.
func readRequest(in *bufio.Reader, proceed func()) (*Received, error) {
	var head bytes.Buffer
	r := &Received{Header: http.Header{}}
	line, err := r.line(in, &head)
	if err != nil {
		return nil, err
	}
	parts := strings.Split(line, " ")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] != "HTTP/1.1" && parts[2] != "HTTP/1.0" {
		r.fault("its first line is not METHOD TARGET HTTP/1.1")
		parts = append(parts, "", "", "")
	}
	r.Method, r.Target, r.Proto = parts[0], parts[1], parts[2]
	for {
		if line, err = r.line(in, &head); err != nil {
			return nil, err
		}
		if line == "" {
			break
		}
		r.field(line)
	}
	r.Raw = bytes.Clone(head.Bytes())
	if strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		proceed()
	}
	return r, r.readBody(in)
}

func (r *Received) fault(format string, args ...any) {
	r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
}

// line reads a line of the head or of the framing.
func (r *Received) line(in *bufio.Reader, head *bytes.Buffer) (string, error) {
	data, err := in.ReadSlice('\n')
	for errors.Is(err, bufio.ErrBufferFull) && head.Len() < maxHead {
		head.Write(data)
		var more []byte
		more, err = in.ReadSlice('\n')
		data = more
	}
	start := bytes.LastIndexByte(head.Bytes(), '\n') + 1
	head.Write(data)
	if err != nil {
		return "", io.EOF
	}
	text := strings.TrimSuffix(string(head.Bytes()[start:]), "\n")
	if !strings.HasSuffix(text, "\r") {
		r.fault("a line ends without a carriage return")
	}
	text = strings.TrimSuffix(text, "\r")
	if strings.ContainsAny(text, "\r\x00") {
		r.fault("a line has a carriage return or NUL in it")
	}
	return text, nil
}

func (r *Received) field(line string) {
	if line[0] == ' ' || line[0] == '\t' {
		r.fault("a field is folded over two lines")
		return
	}
	name, value, ok := strings.Cut(line, ":")
	if !ok || name == "" || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c) }) {
		r.fault("a field has no name, or one that is not a token")
		return
	}
	value = strings.Trim(value, " \t")
	if strings.EqualFold(name, "Host") {
		r.Host = append(r.Host, value)
		return
	}
	name = http.CanonicalHeaderKey(name)
	r.Header[name] = append(r.Header[name], value)
}

// readBody reads the body by its framing, and records the faults in it.
func (r *Received) readBody(in *bufio.Reader) error {
	lengths, codings := r.Header["Content-Length"], r.Header["Transfer-Encoding"]
	for name := range r.Header {
		for _, framing := range []string{"Content-Length", "Transfer-Encoding"} {
			if name != framing && routes.SameHeader(name, framing) {
				r.fault("it has the field %s, which some programs take for %s", name, framing)
			}
		}
	}
	switch {
	case len(codings) > 0:
		if len(lengths) > 0 {
			r.fault("it has both Content-Length and Transfer-Encoding")
		}
		if len(codings) > 1 || codings[0] != "chunked" {
			r.fault("its Transfer-Encoding is not chunked alone")
		}
		return r.readChunks(in)
	case len(lengths) > 0:
		n, err := strconv.ParseUint(lengths[0], 10, 63)
		if len(lengths) > 1 || err != nil || lengths[0] != strconv.FormatUint(n, 10) {
			r.fault("its Content-Length is not one number")
			return io.EOF
		}
		return r.read(in, n)
	}
	return nil
}

func (r *Received) read(in *bufio.Reader, n uint64) error {
	if n > maxBody || uint64(len(r.Body))+n > maxBody {
		return io.EOF
	}
	part := make([]byte, n)
	got, err := io.ReadFull(in, part)
	r.Body = append(r.Body, part[:got]...)
	return err
}

func (r *Received) readChunks(in *bufio.Reader) error {
	for {
		var framing bytes.Buffer
		line, err := r.line(in, &framing)
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(line, 16, 31)
		if err != nil {
			r.fault("a chunk's size is not a number alone")
			return io.EOF
		}
		if n == 0 {
			break
		}
		if err := r.read(in, n); err != nil {
			return err
		}
		if line, err := r.line(in, &framing); err != nil || line != "" {
			r.fault("a chunk does not end where its size says")
			return io.EOF
		}
	}
	for {
		var framing bytes.Buffer
		line, err := r.line(in, &framing)
		if err != nil || line == "" {
			return err
		}
		r.fault("it has a trailer")
	}
}

// fromHTTP returns the request that a Go handler received.
func fromHTTP(q *http.Request) (*Received, error) {
	r := &Received{Method: q.Method, Target: q.RequestURI, Proto: q.Proto, Host: []string{q.Host}, Header: q.Header.Clone()}
	var err error
	r.Body, err = io.ReadAll(io.LimitReader(q.Body, maxBody))
	var head bytes.Buffer
	fmt.Fprintf(&head, "%s %s %s\r\nHost: %s\r\n", r.Method, r.Target, r.Proto, q.Host)
	_ = r.Header.Write(&head) // writing to a buffer cannot fail
	r.Raw = head.Bytes()
	if len(q.Trailer) > 0 {
		r.fault("it has a trailer")
	}
	return r, err
}
