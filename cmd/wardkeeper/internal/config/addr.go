package config

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/unixsocket"
	"github.com/wardkeeper/wardkeeper/pdp/loopback"
)

// Addr is an address that a server listens on.
type Addr struct {
	Network string // tcp, unix or systemd
	Address string // HOST:PORT, the absolute path of a socket, or the name of sockets that systemd passes
}

const (
	unixPrefix    = "unix:"
	systemdPrefix = "systemd:"
)

// IsUnix reports whether an address has the prefix of a Unix socket. It may still be invalid.
func IsUnix(addr string) bool { return strings.HasPrefix(addr, unixPrefix) }

// ParseAddr parses HOST:PORT, unix:/PATH, unix:///PATH or systemd:NAME.
func ParseAddr(text string) (Addr, error) {
	if name, ok := strings.CutPrefix(text, systemdPrefix); ok {
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == ':' || r >= 0x7f }) {
			return Addr{}, errors.New("use systemd:NAME, where the socket unit has FileDescriptorName=NAME")
		}
		return Addr{"systemd", name}, nil
	}
	if path, ok := strings.CutPrefix(text, unixPrefix); ok {
		path, err := parseSocketPath(path)
		return Addr{"unix", path}, err
	}
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return Addr{}, errors.New("use HOST:PORT or unix:/PATH, such as 127.0.0.1:8181")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return Addr{}, errors.New("the port must be a number up to 65535")
	}
	return Addr{"tcp", text}, nil
}

func parseSocketPath(path string) (string, error) {
	switch {
	case strings.HasPrefix(path, "@"), strings.HasPrefix(path, "\x00"):
		return "", errors.New("any program of this machine can take the name of an abstract socket: use a path, such as unix:/run/wardkeeper/pdp.sock")
	case !strings.HasPrefix(path, "/"):
		return "", errors.New("the path of a socket must be absolute, such as unix:/run/wardkeeper/pdp.sock")
	case strings.HasPrefix(path, "//") && !strings.HasPrefix(path, "///"):
		return "", errors.New("a socket has no host: use unix:/PATH")
	case strings.HasSuffix(path, "/"), filepath.Clean(path) == "/":
		return "", errors.New("this is a folder: add the name of the socket")
	case strings.Contains(path, "\x00"):
		return "", errors.New("the path has a NUL in it")
	}
	path = filepath.Clean(path)
	if len(path) > unixsocket.MaxPath {
		return "", fmt.Errorf("the path has %d bytes: that of a socket can have %d, so use a shorter one", len(path), unixsocket.MaxPath)
	}
	return path, nil
}

// String returns the address as [ParseAddr] takes it.
func (a Addr) String() string {
	switch a.Network {
	case "unix":
		return unixPrefix + a.Address
	case "systemd":
		return systemdPrefix + a.Address
	}
	return a.Address
}

// Parsed returns the addresses of a list. It omits those that do not parse, which [Settings.Validate] reports.
func (l AddrList) Parsed() []Addr {
	var addrs []Addr
	for _, text := range l {
		if addr, err := ParseAddr(text); err == nil {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

func (s *Settings) validateAddrs() (faults []error) {
	seen := map[Addr]bool{}
	for _, setting := range []struct {
		flag  string
		addrs AddrList
	}{{"addr", s.Addr}, {"ext-authz", s.ExtAuthz}, {"operations-addr", s.OperationsAddr}} {
		for _, text := range setting.addrs {
			addr, err := ParseAddr(text)
			switch {
			case err != nil:
			case seen[addr] && !strings.HasSuffix(addr.Address, ":0"): // port 0 is a different port each time
				err = errors.New("it is given twice: remove one of them")
			case !s.AuthenticatesCallers() && !s.Insecure && !addr.isLocal():
				faults = append(faults, fmt.Errorf("%s is %q, which other machines can reach: set --token-file, callers or --tls-client-ca-file, "+
					"or set --insecure to let everybody ask", s.Spelling(setting.flag), text))
			}
			if err != nil {
				faults = append(faults, fmt.Errorf("%s is %q: %w", s.Spelling(setting.flag), text, err))
			}
			seen[addr] = true
		}
	}
	if len(s.ExtAuthz) > 0 && s.Routes == "" {
		faults = append(faults, fmt.Errorf("%s needs a route file that says what requests mean: set --routes", s.Spelling("ext-authz")))
	}
	return faults
}

// isLocal reports whether only this machine can reach the address, judging by the name alone: it resolves no host. Who can reach
// sockets of systemd is seen when they are there. While a process stops, systemd keeps them open, so nobody has to be told.
func (a Addr) isLocal() bool {
	if a.Network != "tcp" {
		return true
	}
	host, _, err := net.SplitHostPort(a.Address)
	return err == nil && loopback.Is(host)
}
