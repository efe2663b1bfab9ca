package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"slices"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/unixsocket"
	"github.com/wardkeeper/wardkeeper/pdp/loopback"
)

// listeners are the listeners of one server.
type listeners []net.Listener

// opened are the listeners of each server.
type opened struct{ api, envoy, operations listeners }

// listen listens on every address, or on none if one fails, before the log reports the addresses.
func listen(s *config.Settings, logger *slog.Logger) (opened, error) {
	var o opened
	var apiErr, envoyErr, operationsErr error
	passed := passedBySystemd()
	o.api, apiErr = listenAll("addr", s.Addr, passed, s)
	o.envoy, envoyErr = listenAll("ext-authz", s.ExtAuthz, passed, s)
	o.operations, operationsErr = listenAll("operations-addr", s.OperationsAddr, passed, s)
	if err := errors.Join(apiErr, envoyErr, operationsErr, passed.unused()); err != nil {
		return opened{}, errors.Join(err, o.close())
	}
	if !s.AuthenticatesCallers() && !s.Insecure {
		warnIfOpen(slices.Concat(o.api, o.envoy, o.operations), logger)
	}
	return o, nil
}

// warnIfOpen logs a warning for each Unix socket at which every user of the machine can ask. Only those of systemd can be a surprise,
// but others may be left so too.
func warnIfOpen(ls listeners, logger *slog.Logger) {
	for _, l := range ls {
		if path := l.Addr().String(); l.Addr().Network() == "unix" && unixsocket.OpenToAll(path) {
			logger.Warn("Every user of this machine can ask at the socket, as nobody has to say who they are: set SocketMode to 0660.", "socket", path)
		}
	}
}

func (o opened) close() error {
	return errors.Join(o.api.close(), o.envoy.close(), o.operations.close())
}

func listenAll(flag string, addrs config.AddrList, passed passedSockets, s *config.Settings) (opened listeners, err error) {
	for _, addr := range addrs.Parsed() {
		if addr.Network == "systemd" {
			ls, fault := passed.take(addr, s)
			opened, err = append(opened, ls...), errors.Join(err, fault)
			continue
		}
		l, fault := listenAt(addr, flag, s)
		if fault != nil {
			err = errors.Join(err, fault)
			continue
		}
		opened = append(opened, l)
	}
	return opened, err
}

func listenAt(addr config.Addr, flag string, s *config.Settings) (net.Listener, error) {
	if addr.Network == "unix" {
		l, err := unixsocket.Listen(addr.Address, fs.FileMode(s.SocketMode))
		if err != nil {
			return nil, fmt.Errorf("cannot listen at %s: %w", addr, err)
		}
		return l, nil
	}
	l, err := net.Listen("tcp", addr.Address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen (choose another --%s): %w", flag, err)
	}
	return protected(l, addr, s)
}

// protected returns a TCP listener, or closes it if strangers could ask there. A host name may resolve to an address that other
// machines can reach.
func protected(l net.Listener, addr config.Addr, s *config.Settings) (net.Listener, error) {
	if host, _, _ := net.SplitHostPort(l.Addr().String()); !s.AuthenticatesCallers() && !s.Insecure && !loopback.Is(host) {
		return nil, errors.Join(fmt.Errorf("%s is %s, which other machines can reach: set --token-file, callers or --tls-client-ca-file, or set --insecure",
			addr, l.Addr()), l.Close())
	}
	return l, nil
}

// checkSockets reports what would keep the server from listening on its Unix sockets.
func checkSockets(s *config.Settings) error {
	var faults []error
	check := func(flag string, addrs config.AddrList) {
		for _, addr := range addrs.Parsed() {
			if addr.Network != "unix" {
				continue
			}
			if err := unixsocket.Check(addr.Address); err != nil {
				faults = append(faults, fmt.Errorf("%s is %q: %w", s.Spelling(flag), addr, err))
			}
		}
	}
	check("addr", s.Addr)
	check("ext-authz", s.ExtAuthz)
	check("operations-addr", s.OperationsAddr)
	return errors.Join(faults...)
}

// warnIfReplaceable logs a warning for each Unix socket that every user of the machine can replace.
func warnIfReplaceable(addrs []config.Addr, logger *slog.Logger) {
	for _, addr := range addrs {
		if addr.Network != "unix" {
			continue
		}
		if dir := unixsocket.Replaceable(addr.Address); dir != "" {
			logger.Warn("Every user of this machine can replace the socket: use a folder that only its owner may write to.",
				"socket", addr.Address, "folder", dir)
		}
	}
}

// urls returns the addresses as clients use them.
func (ls listeners) urls(scheme string) []string {
	var urls []string
	for _, l := range ls {
		if l.Addr().Network() == "unix" {
			urls = append(urls, "unix:"+l.Addr().String())
		} else {
			urls = append(urls, scheme+"://"+l.Addr().String())
		}
	}
	return urls
}

// addrs returns the addresses as the settings name them.
func (ls listeners) addrs() []string {
	var addrs []string
	for _, l := range ls {
		addrs = append(addrs, config.Addr{Network: l.Addr().Network(), Address: l.Addr().String()}.String())
	}
	return addrs
}

// baseURL returns a URL for the metadata. Over a Unix socket, a client may use any host.
func (ls listeners) baseURL(scheme string, logger *slog.Logger) string {
	for _, l := range ls {
		if l.Addr().Network() == "unix" {
			continue
		}
		host, port, _ := net.SplitHostPort(l.Addr().String())
		if !net.ParseIP(host).IsUnspecified() {
			return scheme + "://" + l.Addr().String()
		}
		url := scheme + "://localhost:" + port
		logger.Warn("The metadata name an address that only this machine can use: set base_url for other clients.", "base_url", url)
		return url
	}
	return "http://localhost"
}

func (ls listeners) close() error {
	var faults []error
	for _, l := range ls {
		faults = append(faults, l.Close())
	}
	return errors.Join(faults...)
}
