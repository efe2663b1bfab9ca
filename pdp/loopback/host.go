package loopback

import "net/netip"

// Is reports whether only this machine can reach a host, judging by the name alone: it resolves no host. An address may have a zone.
func Is(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
