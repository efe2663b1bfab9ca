package decisionlog

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/wardkeeper/wardkeeper/pdp/decisionpart"
)

// The formats of segments that are read. One of the first has no parts.
const format, firstFormat = 2, 1

// digest is the hash of a line.
type digest [sha256.Size]byte

func (d digest) String() string { return hex.EncodeToString(d[:]) }

// head is the first line of a segment.
type head struct {
	Format  int       `json:"format"`
	Log     string    `json:"log"` // tells the logs of one key apart
	Segment uint64    `json:"segment"`
	Seq     uint64    `json:"seq"`  // of the last record before
	Prev    string    `json:"prev"` // hash of the last line before
	Time    time.Time `json:"time"`
	Oldest  uint64    `json:"oldest"`           // segment; those before have been deleted
	Leaves  string    `json:"leaves,omitempty"` // why lines after Prev in the segment before are not part of the log
}

// The values of Leaves.
const (
	leavesUnsynced = "unsynced" // it is unknown whether they reached the disk, and they follow again
	leavesBroken   = "broken"   // they were found broken when the log was opened
)

// checkpoint is a line that confirms everything before it.
type checkpoint struct {
	Segment uint64    `json:"segment"`
	Seq     uint64    `json:"seq"` // of the last record before
	Time    time.Time `json:"time"`
	Oldest  uint64    `json:"oldest"`
	Lost    uint64    `json:"lost,omitempty"` // records, since the checkpoint before
	Torn    int64     `json:"torn,omitempty"` // bytes of an incomplete end that were cut off when the log was opened
	End     bool      `json:"end,omitempty"`  // of the segment
}

// line is a parsed line. Exactly one of head, checkpoint, value and record is set.
type line struct {
	head       *head
	checkpoint *checkpoint
	seq        uint64 // of the record
	time       time.Time
	record     []byte
	references []reference           // of the record
	parts      []decisionpart.Placed // that they refer to, as the chain says
	number     int                   // of the part
	value      []byte                // of the part

	covered   []byte // the bytes that the hash covers
	hash      []byte // as written, in hexadecimal
	signed    []byte // the bytes that the signature covers
	key       string // "" if there is no signature
	signature []byte
}

const (
	recordStart     = `{"seq":`
	headStart       = `{"head":`
	checkpointStart = `{"checkpoint":`
	recordMiddle    = `,"record":`
	timeMiddle      = `,"time":"`
	partsMiddle     = `,"parts":[`
	partStart       = `{"part":`
	valueMiddle     = `,"value":`
	hashStart       = `,"hash":"`
	hashLength      = len(hashStart) + 2*sha256.Size + len(`"}`)
	keyStart        = `,"key":"`
	keyDigits       = 16
	signatureStart  = `","signature":"`
	signatureChars  = 88
	signatureLength = len(keyStart) + keyDigits + len(signatureStart) + signatureChars + len(`"`)

	signaturePurpose = "wardkeeper decision log 1\x00"
)

// aroundRecord is about how many bytes a line has besides its record.
const aroundRecord = len(recordStart) + 20 + len(timeMiddle) + len(time.RFC3339Nano) + 1 + len(recordMiddle) + hashLength + 1

// aroundPart is about how many bytes it takes to write a part and to refer to it, besides its value.
const aroundPart = len(partStart) + 10 + len(valueMiddle) + hashLength + 1 + len("[1234567,1234567],")

func appendRecord(to []byte, prev digest, seq uint64, e *entry, known *partTable) ([]byte, digest) {
	to, prev = known.append(to, prev, e.parts)
	start := len(to)
	to = append(to, recordStart...)
	to = strconv.AppendUint(to, seq, 10)
	to = append(to, timeMiddle...)
	to = e.at.UTC().AppendFormat(to, time.RFC3339Nano)
	to = append(to, '"')
	to = known.appendReferences(to, e.parts)
	to = append(to, recordMiddle...)
	to = append(to, e.record...)
	return appendHash(to, start, prev)
}

// appendSigned appends a head or a checkpoint.
func appendSigned(to []byte, prev digest, opening string, content any, key ed25519.PrivateKey) ([]byte, digest, error) {
	encoded, err := json.Marshal(content)
	if err != nil {
		return to, prev, err
	}
	start := len(to)
	to = append(append(to, opening...), encoded...)
	if key != nil {
		signature := ed25519.Sign(key, signedMessage(prev, to[start:]))
		to = append(append(to, keyStart...), KeyID(key.Public().(ed25519.PublicKey))...)
		to = append(to, signatureStart...)
		to = base64.StdEncoding.AppendEncode(to, signature)
		to = append(to, '"')
	}
	to, hash := appendHash(to, start, prev)
	return to, hash, nil
}

func signedMessage(prev digest, signed []byte) []byte {
	return append(append([]byte(signaturePurpose), prev[:]...), signed...)
}

func appendHash(to []byte, start int, prev digest) ([]byte, digest) {
	hash := hashOf(prev, to[start:])
	to = append(to, hashStart...)
	to = hex.AppendEncode(to, hash[:])
	return append(to, "\"}\n"...), hash
}

func hashOf(prev digest, covered []byte) digest {
	h := sha256.New()
	h.Write(prev[:])
	h.Write(covered)
	return digest(h.Sum(nil))
}

// parseLine parses a line without its line feed. The result refers to data. It does not check the hash or the signature.
func parseLine(data []byte) (line, error) {
	if len(data) < hashLength {
		return line{}, errors.New("the line is too short")
	}
	l := line{covered: data[:len(data)-hashLength]}
	rest, _ := bytes.CutPrefix(data[len(l.covered):], []byte(hashStart))
	if l.hash, _ = bytes.CutSuffix(rest, []byte(`"}`)); len(l.hash) != 2*sha256.Size {
		return line{}, errors.New("the line has no hash at its end")
	}
	switch {
	case bytes.HasPrefix(l.covered, []byte(recordStart)):
		return l, l.parseRecord()
	case bytes.HasPrefix(l.covered, []byte(partStart)):
		return l, l.parsePart()
	case bytes.HasPrefix(l.covered, []byte(headStart)):
		l.head = &head{}
		return l, l.parseSigned(headStart, l.head)
	case bytes.HasPrefix(l.covered, []byte(checkpointStart)):
		l.checkpoint = &checkpoint{}
		return l, l.parseSigned(checkpointStart, l.checkpoint)
	}
	return line{}, errors.New("the line is neither a record nor a checkpoint")
}

func (l *line) parseRecord() error {
	number, rest, _ := bytes.Cut(l.covered[len(recordStart):], []byte(timeMiddle))
	at, rest, found := bytes.Cut(rest, []byte(`"`))
	var errSeq, errTime, errParts error
	if list, more, has := bytes.Cut(rest, []byte(recordMiddle)); has && bytes.HasPrefix(list, []byte(partsMiddle)) {
		l.references, errParts = parseReferences(list[len(partsMiddle)-1:])
		rest = rest[len(rest)-len(more)-len(recordMiddle):]
	}
	record, isRecord := bytes.CutPrefix(rest, []byte(recordMiddle))
	l.seq, errSeq = strconv.ParseUint(string(number), 10, 64)
	l.time, errTime = time.Parse(time.RFC3339Nano, string(at))
	if errSeq != nil || errTime != nil || errParts != nil || !found || !isRecord || !isObject(record) {
		return errors.New("the line is not a record")
	}
	l.record = record
	return nil
}

func (l *line) parseSigned(opening string, content any) error {
	l.signed = l.covered
	if n := len(l.covered) - signatureLength; n > 0 && bytes.HasPrefix(l.covered[n:], []byte(keyStart)) {
		rest := l.covered[n+len(keyStart):]
		signature, err := base64.StdEncoding.AppendDecode(nil, rest[keyDigits+len(signatureStart):len(rest)-1])
		if err != nil {
			return fmt.Errorf("the signature cannot be read: %w", err)
		}
		l.signed, l.key, l.signature = l.covered[:n], string(rest[:keyDigits]), signature
	}
	decoder := json.NewDecoder(bytes.NewReader(l.signed[len(opening):]))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(content); err != nil {
		return fmt.Errorf("the line cannot be read: %w", err)
	}
	if decoder.InputOffset() != int64(len(l.signed)-len(opening)) {
		return errors.New("the line has something after its content")
	}
	return nil
}

// isObject reports whether data is one JSON object in UTF-8.
func isObject(data []byte) bool {
	return len(data) > 0 && data[0] == '{' && jsontext.Value(data).IsValid(jsontext.AllowDuplicateNames(true))
}
