package routes

import (
	"net/netip"
	"strings"
)

// maxHost is the maximum length of a Host value in bytes.
const maxHost = 255 + len(":65535")

// canonicalHost returns the host of a request in lower case, without its port.
func canonicalHost(values []string) (string, error) {
	if len(values) != 1 || values[0] == "" {
		return "", badRequest("The request has no host, or more than one: send the Host header once.")
	}
	host, ok := withoutPort(values[0])
	if !ok || len(values[0]) > maxHost || !isHost(host) {
		return "", badRequest("The host is not a name or an address: send a name without a trailing dot, and at most a port after it.")
	}
	return strings.ToLower(host), nil
}

// withoutPort cuts the port off; ok is false if it is not a number.
func withoutPort(hostPort string) (host string, ok bool) {
	colon := strings.LastIndexByte(hostPort, ':')
	if colon < 0 || strings.HasSuffix(hostPort, "]") {
		return hostPort, true
	}
	port := hostPort[colon+1:]
	if len(port) == 0 || len(port) > 5 {
		return "", false
	}
	for i := range len(port) {
		if port[i] < '0' || port[i] > '9' {
			return "", false
		}
	}
	return hostPort[:colon], true
}

// isHost reports whether host is a name of letters, digits, hyphens and underscores with dots between them, or an address (IPv6
// in brackets).
func isHost(host string) bool {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		address, err := netip.ParseAddr(inner)
		return ok && err == nil && address.Is6() && address.Zone() == ""
	}
	label := 0
	for i := range len(host) {
		switch c := host[i]; {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
			label++
		default:
			return false
		}
	}
	return label > 0
}
