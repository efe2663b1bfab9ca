package redisstore

import (
	"strconv"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// Keys builds the names of keys in Redis. A cluster places a key by its part in braces: each record separately, the
// keys of the stream, of its leader and of the standby together, slots and requests together, and all claims together.
type Keys struct {
	prefix     string
	format     string // of values
	log, state string // keys of the stream: its entries and its position
	leader     string // key of the election of a leader
	standby    string // key of that of a standby
	claims     string // begins the keys of claims
	slots      string // key of the slots for fetches
	requests   string // key of the records that are requested of those who have a slot, in a format
}

// sealedFormat is the format of values that a fleet key seals, without its version.
const sealedFormat = "s"

// NewKeys returns the Keys for a prefix. sealed says whether a fleet key seals the values.
func NewKeys(prefix string, sealed bool) Keys {
	k := Keys{prefix: prefix, format: record.PackedVersion, log: prefix + ":{changes}:log", state: prefix + ":{changes}:state",
		leader: prefix + ":{changes}:leader", standby: prefix + ":{changes}:standby",
		claims: prefix + ":{claims}:", slots: prefix + ":{fetches}:slots"}
	if sealed {
		k.format += sealedFormat
	}
	k.requests = prefix + ":{fetches}:requests:" + k.format
	return k
}

// Name returns the name of a key. It contains the format, because during an upgrade sidecars of two releases, or with
// and without a fleet key, must not drop each other's values. The length before the id keeps names distinct, whatever characters the ids
// contain.
func (k Keys) Name(key membership.Key) string {
	return k.prefix + ":" + string(rune(key.Kind)) + k.format + ":{" + strconv.Itoa(len(key.ID)) + ":" + key.ID + "}"
}

// Reservation returns the name of the key that reserves the fetch of a value.
func (k Keys) Reservation(key membership.Key) string {
	return k.prefix + ":r" + strings.TrimPrefix(k.Name(key), k.prefix+":")
}
