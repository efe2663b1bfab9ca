package redisstore

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// redisAddress is what the URL of a Redis says.
type redisAddress struct {
	addrs    []string // a single path where unix
	unix     bool
	tls      bool
	cluster  bool
	master   string // as Sentinel knows it
	db       int
	username string
	password string
}

const (
	mostAddresses = 64
	mostDatabases = 1 << 16
)

// parseRedisURL reads redis://, rediss:// and unix:// with all their faults. No fault repeats what may be a password.
func parseRedisURL(raw string) (redisAddress, error) {
	var a redisAddress
	scheme, rest, ok := strings.Cut(raw, "://")
	switch {
	case raw == "":
		return a, errors.New("url is missing")
	case !ok:
		return a, errors.New("url must begin with redis://, rediss:// or unix://")
	case strings.Contains(rest, "#"):
		return a, errors.New("url has a fragment; a # of a password must be written %23")
	}
	rest, query, _ := strings.Cut(rest, "?")
	if strings.Contains(query, "@") { // then it may be the rest of a password, which no fault may name
		return a, errors.New("url has an @ behind the ?; a ? of a password must be written %3F")
	}
	at := strings.LastIndexByte(rest, '@')
	userinfo := rest[:max(at, 0)]
	rest = rest[at+1:]
	var faults []error
	switch scheme {
	case "rediss":
		a.tls = true
		faults = append(faults, a.hosts(rest))
	case "redis":
		faults = append(faults, a.hosts(rest))
	case "unix":
		a.unix = true
		faults = append(faults, a.socket(rest))
	default:
		return a, errors.New("url must begin with redis://, rediss:// or unix://")
	}
	faults = append(faults, a.credentials(userinfo), a.parameters(query))
	if err := errors.Join(faults...); err != nil {
		return a, err
	}
	return a, a.check()
}

func (a *redisAddress) hosts(rest string) error {
	list, db, _ := strings.Cut(rest, "/")
	for one := range strings.SplitSeq(list, ",") {
		a.addrs = append(a.addrs, one)
	}
	if db == "" {
		return nil
	}
	return a.database(db)
}

func (a *redisAddress) socket(rest string) error {
	path, err := url.PathUnescape(rest)
	if err != nil || !strings.HasPrefix(path, "/") {
		return errors.New("url must have an absolute path after unix://")
	}
	a.addrs = []string{path}
	return nil
}

func (a *redisAddress) credentials(userinfo string) error {
	username, password, _ := strings.Cut(userinfo, ":")
	var err, err2 error
	a.username, err = url.PathUnescape(username)
	a.password, err2 = url.PathUnescape(password)
	if err != nil || err2 != nil {
		return errors.New("the username or password of the url is not percent-encoded right")
	}
	return nil
}

func (a *redisAddress) parameters(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("the query of the url cannot be read")
	}
	var faults []error
	for name, all := range values {
		if name != "addr" && len(all) > 1 {
			faults = append(faults, fmt.Errorf("url parameter %s is there twice", membership.Quote(name)))
		}
		value := all[0]
		switch name {
		case "addr":
			a.addrs = append(a.addrs, all...)
		case "db":
			faults = append(faults, a.database(value))
		case "master_name", "sentinel":
			if a.master != "" || value == "" {
				faults = append(faults, errors.New("url parameter master_name must be one name"))
			}
			a.master = value
		case "cluster":
			if value != "true" && value != "false" {
				faults = append(faults, errors.New("url parameter cluster must be true or false"))
			}
			a.cluster = value == "true"
		default:
			faults = append(faults, fmt.Errorf("unknown url parameter %s", membership.Quote(name)))
		}
	}
	return errors.Join(faults...)
}

func (a *redisAddress) database(text string) error {
	db, err := strconv.ParseUint(text, 10, 32)
	if err != nil || db >= mostDatabases {
		return errors.New("the database of the url must be a number")
	}
	a.db = int(db)
	return nil
}

// check sees whether the parts fit together, and completes the addresses.
func (a *redisAddress) check() error {
	switch {
	case a.cluster && a.master != "":
		return errors.New("url: cluster and master_name exclude each other")
	case a.cluster && a.db != 0:
		return errors.New("url: a cluster has database 0 alone")
	case a.unix && (a.cluster || a.master != "" || len(a.addrs) > 1):
		return errors.New("url: a unix socket is a single server")
	case a.unix:
		return nil
	case len(a.addrs) > mostAddresses:
		return fmt.Errorf("url has more than %d addresses", mostAddresses)
	case len(a.addrs) > 1 && !a.cluster && a.master == "":
		return errors.New("url: several addresses need cluster=true or master_name")
	}
	port := "6379"
	if a.master != "" {
		port = "26379"
	}
	for i, one := range a.addrs {
		addr, err := withPort(one, port)
		if err != nil {
			return err
		}
		a.addrs[i] = addr
	}
	return nil
}

// withPort adds the port where there is none.
func withPort(addr, port string) (string, error) {
	host := addr
	if strings.Contains(addr, ":") && !strings.HasSuffix(addr, "]") {
		var err error
		if host, port, err = net.SplitHostPort(addr); err != nil {
			return "", errors.New("url: an address must be host:port")
		}
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", errors.New("url: a port must be a number from 1 to 65535")
	}
	if host == "" || strings.ContainsAny(host, "[]/@%\\ \t\r\n\x00") {
		return "", errors.New("url: a host is missing or malformed")
	}
	return net.JoinHostPort(host, port), nil
}
