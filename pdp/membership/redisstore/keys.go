package redisstore

import (
	"strconv"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// redisKeys names what is kept in Redis. The part in braces is what a Cluster places a key by: a record alone, and all
// that belongs to the stream together.
type redisKeys struct {
	prefix     string
	log, state string
}

func NewRedisKeys(prefix string) redisKeys {
	return redisKeys{prefix: prefix, log: prefix + ":{changes}:log", state: prefix + ":{changes}:state"}
}

// Of gives a key's name. The length before the id keeps any two ids apart, whatever characters they have.
func (k redisKeys) Of(key membership.Key) string {
	return k.prefix + ":" + string(rune(key.Kind)) + ":{" + strconv.Itoa(len(key.ID)) + ":" + key.ID + "}"
}

const hashSlots = 16384

// hashSlot is where a Cluster has a key.
func hashSlot(name string) int {
	if _, after, ok := strings.Cut(name, "{"); ok {
		if tag, _, ok := strings.Cut(after, "}"); ok && tag != "" {
			name = tag
		}
	}
	crc := uint16(0) // XMODEM
	for i := range len(name) {
		crc ^= uint16(name[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) % hashSlots
}
