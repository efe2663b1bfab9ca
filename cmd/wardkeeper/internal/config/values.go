package config

import (
	"errors"
	"strconv"
	"strings"
)

// Announced says which changes to the directory are announced. Only the operator can know.
type Announced string

// The values of [Announced].
const (
	AnnouncedSome Announced = "some"
	AnnouncedAll  Announced = "all" // a live stream without news then confirms that nothing has changed
)

// String implements [pflag.Value].
func (a *Announced) String() string { return string(*a) }

// Set implements [pflag.Value].
func (a *Announced) Set(s string) error {
	if s != string(AnnouncedSome) && s != string(AnnouncedAll) {
		return errors.New("neither some nor all")
	}
	*a = Announced(s)
	return nil
}

// Type implements [pflag.Value].
func (a *Announced) Type() string { return "announced" }

// ByteSize is a number of bytes, written with a unit: KiB, MiB or GiB.
type ByteSize int

var byteUnits = []struct {
	name  string
	bytes int
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// String implements [pflag.Value].
func (b *ByteSize) String() string {
	for _, u := range byteUnits {
		if n := int(*b); n >= u.bytes && n%u.bytes == 0 {
			return strconv.Itoa(n/u.bytes) + u.name
		}
	}
	return strconv.Itoa(int(*b))
}

// Set implements [pflag.Value].
func (b *ByteSize) Set(s string) error {
	for _, u := range byteUnits {
		if number, ok := strings.CutSuffix(s, u.name); ok {
			n, err := strconv.Atoi(strings.TrimSpace(number))
			if err != nil || n < 0 || n > (1<<50)/u.bytes {
				return errors.New("invalid size")
			}
			*b = ByteSize(n * u.bytes)
			return nil
		}
	}
	return errors.New("missing unit")
}

// Type implements [pflag.Value].
func (b *ByteSize) Type() string { return "size" }
