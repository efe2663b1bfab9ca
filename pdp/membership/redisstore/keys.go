package redisstore

import (
	"strconv"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

// Keys builds the names of keys in Redis. A cluster places a key by its part in braces: each record separately, and the
// two keys of the stream together.
type Keys struct {
	prefix     string
	log, state string // keys of the stream: its entries and its position
}

// NewKeys returns the Keys for a prefix.
func NewKeys(prefix string) Keys {
	return Keys{prefix: prefix, log: prefix + ":{changes}:log", state: prefix + ":{changes}:state"}
}

// Name returns the name of a key. It contains the version of the format, because during an upgrade sidecars of two
// releases must not drop each other's values. The length before the id keeps names distinct, whatever characters the ids
// contain.
func (k Keys) Name(key membership.Key) string {
	return k.prefix + ":" + string(rune(key.Kind)) + record.PackedVersion + ":{" + strconv.Itoa(len(key.ID)) + ":" + key.ID + "}"
}
