package follow

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
)

// decoded undoes a Content-Encoding, which nobody asks for and some servers and proxies put on all the same.
//
// gzip can mean two things: that the file was compressed once more, or no more than that it is a .gz. What comes out
// tells: where that is neither an archive nor a manifest, the file is what was sent.
func decoded(data []byte, encodings []string, limit int64) ([]byte, error) {
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
		return nil, unreached(fmt.Errorf("the server answered in the Content-Encoding %.80q, which nobody asked for: have it send the file as it is",
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
