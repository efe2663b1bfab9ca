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

// address is a parsed URL of Redis.
type address struct {
	addrs    []string // host:port, or the path of a unix socket
	unix     bool
	tls      bool
	cluster  bool
	master   string // its name in Sentinel
	db       int
	username string
	password string
}

const (
	maxAddresses = 64
	maxDatabases = 1 << 16
)

// parseURL parses a redis://, rediss:// or unix:// URL, and reports all its faults. No error contains text that may be a
// password.
//
// It does not use ParseURL, ParseClusterURL or ParseFailoverURL of go-redis, for three reasons. They accept additional hosts
// only as parameters, not before the path, and do not support cluster=true. They quote the whole URL, including its password,
// in some errors. They accept parameters such as pool_size and read_timeout, which would override the limits that [Open]
// sets, but do not refuse port 0, port 99999 or a repeated parameter. parseURL refuses every other parameter by name. Of the
// URLs of TestParseURL, go-redis refuses 3 of 11 that mean something, accepts 12 of 28 that are faulty, and quotes the secret in
// 4 of its 7 errors about a URL with one.
func parseURL(raw string) (address, error) {
	var a address
	scheme, rest, ok := strings.Cut(raw, "://")
	switch {
	case raw == "":
		return a, errors.New("url is missing")
	case !ok:
		return a, errors.New("url must begin with redis://, rediss:// or unix://")
	case strings.Contains(rest, "#"):
		return a, errors.New("url has a fragment; a # in a password must be written %23")
	}
	rest, query, _ := strings.Cut(rest, "?")
	if strings.Contains(query, "@") { // the query may be the rest of a password, which no error may contain
		return a, errors.New("url has an @ after the ?; a ? in a password must be written %3F")
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
	return a, a.validate()
}

func (a *address) hosts(rest string) error {
	list, db, _ := strings.Cut(rest, "/")
	a.addrs = strings.Split(list, ",")
	if db == "" {
		return nil
	}
	return a.database(db)
}

func (a *address) socket(rest string) error {
	path, err := url.PathUnescape(rest)
	if err != nil || !strings.HasPrefix(path, "/") {
		return errors.New("url must have an absolute path after unix://")
	}
	a.addrs = []string{path}
	return nil
}

func (a *address) credentials(userinfo string) error {
	username, password, _ := strings.Cut(userinfo, ":")
	var err, err2 error
	a.username, err = url.PathUnescape(username)
	a.password, err2 = url.PathUnescape(password)
	if err != nil || err2 != nil {
		return errors.New("the username or password of the url is not percent-encoded correctly")
	}
	return nil
}

func (a *address) parameters(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("the query of the url is malformed")
	}
	var faults []error
	for name, all := range values {
		if name != "addr" && len(all) > 1 {
			faults = append(faults, fmt.Errorf("url parameter %s is given twice", membership.Quote(name)))
		}
		value := all[0]
		switch name {
		case "addr":
			a.addrs = append(a.addrs, all...)
		case "db":
			faults = append(faults, a.database(value))
		case "master_name", "sentinel":
			if a.master != "" || value == "" {
				faults = append(faults, errors.New("url parameter master_name must have one name"))
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

func (a *address) database(text string) error {
	db, err := strconv.ParseUint(text, 10, 32)
	if err != nil || db >= maxDatabases {
		return errors.New("the database of the url must be a number below 65536")
	}
	a.db = int(db)
	return nil
}

// validate checks that the parts fit together, and adds missing ports.
func (a *address) validate() error {
	switch {
	case a.cluster && a.master != "":
		return errors.New("url: cluster and master_name exclude each other")
	case a.cluster && a.db != 0:
		return errors.New("url: a cluster has only database 0")
	case a.unix && (a.cluster || a.master != "" || len(a.addrs) > 1):
		return errors.New("url: a unix socket leads to a single server")
	case a.unix:
		return nil
	case len(a.addrs) > maxAddresses:
		return fmt.Errorf("url has more than %d addresses", maxAddresses)
	case len(a.addrs) > 1 && !a.cluster && a.master == "":
		return errors.New("url: several addresses need cluster=true or master_name")
	}
	port := "6379"
	if a.master != "" {
		port = "26379"
	}
	for i, addr := range a.addrs {
		addr, err := withPort(addr, port)
		if err != nil {
			return err
		}
		a.addrs[i] = addr
	}
	return nil
}

// withPort adds the default port to an address without one.
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
