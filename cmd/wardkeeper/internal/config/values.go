package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// AddrList is a list of addresses, separated by commas when written. [ParseAddr] parses each of them.
type AddrList []string

// String implements [pflag.Value].
func (l *AddrList) String() string { return strings.Join(*l, addrSeparator) }

// Set implements [pflag.Value].
func (l *AddrList) Set(s string) error {
	*l = strings.Split(s, addrSeparator)
	for i, addr := range *l {
		(*l)[i] = strings.TrimSpace(addr)
	}
	return nil
}

// Type implements [pflag.Value].
func (l *AddrList) Type() string { return addrListType }

const (
	addrListType  = "addresses"
	addrSeparator = ","
)

// FileMode holds the permissions of a file, written as an octal number.
type FileMode fs.FileMode

// String implements [pflag.Value].
func (m *FileMode) String() string { return fmt.Sprintf("%04o", uint32(*m)) }

// Set implements [pflag.Value].
func (m *FileMode) Set(s string) error {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "0o"), 8, 32)
	if err != nil || n > 0o777 || n&0o600 != 0o600 {
		return errors.New("invalid mode")
	}
	*m = FileMode(n)
	return nil
}

// Type implements [pflag.Value].
func (m *FileMode) Type() string { return "mode" }

// Announced says which changes to the directory are announced. Only the operator can know.
type Announced string

// The values of [Announced].
const (
	AnnouncedSome Announced = "some"
	AnnouncedAll  Announced = "all" // a live stream without changes then confirms that nothing has changed
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
