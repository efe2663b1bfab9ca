package httpapi

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strings"
)

// maxRequestID is the maximum length of a client's request id in bytes.
const maxRequestID = 4 << 10

// setRequestID uses the client's X-Request-ID. It generates an id if the header is missing, repeated, too long or
// impossible to send back unchanged (pdp/authzen/PROTOCOL.md section 10.1).
func (rc *requestContext) setRequestID() {
	sent := rc.r.Header["X-Request-Id"]
	if len(sent) == 1 && isRequestID(sent[0]) {
		rc.id = sent[0]
		rc.w.Header()["X-Request-Id"] = sent
		return
	}
	var random [16]byte // it must be unique, but is no secret
	binary.BigEndian.PutUint64(random[:8], rand.Uint64())
	binary.BigEndian.PutUint64(random[8:], rand.Uint64())
	rc.id = hex.EncodeToString(random[:])
	rc.w.Header()["X-Request-Id"] = []string{rc.id}
}

// isRequestID reports whether a header can carry id unchanged: no control characters except tabs, and no white space at
// the ends (RFC 9110, section 5.5).
func isRequestID(id string) bool {
	if id == "" || len(id) > maxRequestID || strings.Trim(id, " \t") != id {
		return false
	}
	for i := range len(id) {
		if id[i] < ' ' && id[i] != '\t' || id[i] == 0x7f {
			return false
		}
	}
	return true
}
