package follow

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
)

// decodeContent undoes a Content-Encoding. Requests ask for none, but some servers and proxies apply one anyway.
//
// gzip can mean that the file was compressed once more, or only that it is a .gz. If decompressing yields neither an
// archive nor a manifest, the content is returned as it was sent.
func decodeContent(data []byte, encodings []string, limit int64) ([]byte, error) {
	var names []string
	for name := range strings.SplitSeq(strings.Join(encodings, ","), ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" && name != "identity" {
			names = append(names, name)
		}
	}
	switch {
	case len(names) == 0:
		return data, nil
	case len(names) > 1 || names[0] != "gzip" && names[0] != "x-gzip":
		return nil, unavailable(fmt.Errorf("the server answered with the Content-Encoding %.80q: configure it to send the file as it is",
			strings.Join(names, ", ")))
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return data, nil
	}
	inner := bufio.NewReader(unpacked)
	if first, _ := inner.Peek(1); len(first) == 0 || first[0] != 0x1f && first[0] != '{' {
		return data, nil
	}
	return readBounded(inner, limit)
}
