package opawire

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// maxIndented is the size up to which responses are indented, in bytes.
const maxIndented = 1 << 20

// Indent indents a response if the client asked for it with the parameter "pretty".
func Indent(body []byte, query url.Values) ([]byte, error) {
	if !Flag(query, "pretty") || len(body) > maxIndented {
		return body, nil
	}
	var out bytes.Buffer
	if err := json.Indent(&out, body, "", "  "); err != nil {
		return body, err
	}
	return append(out.Bytes(), '\n'), nil
}

// minCompressed is the size from which responses are compressed, in bytes. OPA uses the same value.
const minCompressed = 1024

// gzipWriters reuses compressors, which take much memory.
var gzipWriters = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		panic(err) // cannot happen: the level is valid
	}
	return w
}}

// Compress compresses a response with gzip if it is long enough and the client accepts gzip. It sets the response header
// accordingly.
func Compress(body []byte, response http.Header, acceptEncoding []string) []byte {
	response.Add("Vary", "Accept-Encoding")
	if len(body) < minCompressed || !acceptsGzip(acceptEncoding) {
		return body
	}
	w := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(w)
	var out bytes.Buffer
	w.Reset(&out)
	_, _ = w.Write(body) // writing to a buffer cannot fail
	_ = w.Close()
	response.Set("Content-Encoding", "gzip")
	return out.Bytes()
}

// acceptsGzip reports whether Accept-Encoding allows gzip (RFC 9110, section 12.5.3).
func acceptsGzip(acceptEncoding []string) bool {
	for coding := range strings.SplitSeq(strings.Join(acceptEncoding, ","), ",") {
		name, parameter, _ := strings.Cut(coding, ";")
		if name = strings.ToLower(strings.TrimSpace(name)); name != "gzip" && name != "x-gzip" {
			continue
		}
		weight, hasWeight := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(parameter), " ", ""), "q=")
		return !hasWeight || strings.Trim(weight, "0.") != ""
	}
	return false
}
