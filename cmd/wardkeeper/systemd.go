package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/unixsocket"
)

// passedSockets are the sockets that systemd passed and that nothing listens on yet, by their FileDescriptorName.
type passedSockets map[string][]*os.File

func passedBySystemd() passedSockets {
	passed := passedSockets{}
	for _, file := range activation.Files(true) {
		passed[file.Name()] = append(passed[file.Name()], file)
	}
	return passed
}

// take listens on the sockets of a name.
func (p passedSockets) take(addr config.Addr, s *config.Settings) (ls listeners, err error) {
	files := p[addr.Address]
	delete(p, addr.Address)
	if len(files) == 0 {
		return nil, fmt.Errorf("cannot listen at %s: systemd passed no socket of this name: start the socket unit that has FileDescriptorName=%s",
			addr, addr.Address)
	}
	for _, file := range files {
		l, fault := net.FileListener(file) // on a copy
		fault = errors.Join(fault, file.Close())
		if l != nil && fault == nil {
			if u, ok := l.(*net.UnixListener); ok {
				l = unixsocket.Inherited(u)
			} else {
				l, fault = protected(l, addr, s)
			}
		}
		if fault != nil {
			err = errors.Join(err, fmt.Errorf("cannot listen at %s: %w", addr, fault))
			continue
		}
		ls = append(ls, l)
	}
	return ls, err
}

// unused returns an error if there are sockets left: their clients would wait for ever.
func (p passedSockets) unused() error {
	var names []string
	for name, files := range p {
		names = append(names, name)
		for _, file := range files {
			_ = file.Close()
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return fmt.Errorf("systemd passed sockets that no address names: add --addr systemd:%s", strings.Join(names, ", --addr systemd:"))
}
