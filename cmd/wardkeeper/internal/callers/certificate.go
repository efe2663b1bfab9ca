package callers

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxVerified bounds the certificates that are remembered.
const maxVerified = 1024

var errNoCertificate = errors.New("there are no credentials")

// certificates recognizes callers by client certificates. The handshake has verified a certificate once; a connection can live
// longer than the certificate, and longer than its authority is trusted, so it is verified again when either changes. It is safe
// for concurrent use.
type certificates struct {
	authorities func() *x509.CertPool // nil if no caller is recognized by a certificate

	mu       sync.Mutex
	pool     *x509.CertPool                 // by which those below were verified
	verified map[[sha256.Size]byte]verified // by the hash of the certificate
}

// verified is a certificate that leads to an authority until a time, and the caller that has it.
type verified struct {
	until time.Time
	of    *entry // nil if it is nobody's
}

// find returns the caller that has the certificate of a connection.
func (c *certificates) find(state *tls.ConnectionState, entries []*entry, now time.Time) (*entry, error) {
	if !c.has(state) {
		return nil, errNoCertificate
	}
	owner, err := c.owner(state, entries, now)
	if err == nil && owner == nil {
		err = errUnknown
	}
	return owner, err
}

// check returns an error if a connection has a certificate that is not valid any more.
func (c *certificates) check(state *tls.ConnectionState, entries []*entry, now time.Time) error {
	if !c.has(state) {
		return nil
	}
	_, err := c.owner(state, entries, now)
	return err
}

func (c *certificates) has(state *tls.ConnectionState) bool {
	return c.authorities != nil && state != nil && len(state.VerifiedChains) > 0
}

// owner verifies the certificate of a connection. It returns nil if the certificate is nobody's.
func (c *certificates) owner(state *tls.ConnectionState, entries []*entry, now time.Time) (*entry, error) {
	leaf, pool := state.PeerCertificates[0], c.authorities()
	if pool == nil { // it would stand for the system's authorities
		return nil, errNoCertificate
	}
	key := sha256.Sum256(leaf.Raw)
	known, ok := c.known(key, pool)
	if !ok || now.After(known.until) {
		until, err := verify(state.PeerCertificates, pool, now) // nobody else waits for it
		if err != nil {
			return nil, err
		}
		known = verified{until, ownerOf(leaf, entries)}
		c.remember(key, pool, known)
	}
	return known.of, nil
}

// known returns what is known of a certificate by the authorities in a pool.
func (c *certificates) known(key [sha256.Size]byte, pool *x509.CertPool) (verified, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pool != pool {
		return verified{}, false
	}
	known, ok := c.verified[key]
	return known, ok
}

func (c *certificates) remember(key [sha256.Size]byte, pool *x509.CertPool, known verified) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pool != pool || len(c.verified) >= maxVerified {
		c.pool, c.verified = pool, map[[sha256.Size]byte]verified{}
	}
	c.verified[key] = known
}

// verify returns until when the certificates are valid.
func verify(certificates []*x509.Certificate, pool *x509.CertPool, now time.Time) (until time.Time, err error) {
	options := x509.VerifyOptions{
		Roots: pool, Intermediates: x509.NewCertPool(), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, c := range certificates[1:] {
		options.Intermediates.AddCert(c)
	}
	chains, err := certificates[0].Verify(options)
	if err != nil {
		return until, err
	}
	until = certificates[0].NotAfter
	for _, c := range chains[0] {
		if c.NotAfter.Before(until) {
			until = c.NotAfter
		}
	}
	return until, nil
}

func ownerOf(leaf *x509.Certificate, entries []*entry) *entry {
	subject, names := subjectOf(leaf), namesOf(leaf)
	for _, e := range entries {
		if e.CertificateSubject != "" && e.CertificateSubject == subject || e.CertificateSAN != "" && slices.Contains(names, normalName(e.CertificateSAN)) {
			return e
		}
	}
	return nil
}

// subjectOf returns the distinguished name of a certificate, in the form of RFC 2253; "" if it is malformed.
func subjectOf(leaf *x509.Certificate) string {
	var name pkix.RDNSequence
	if rest, err := asn1.Unmarshal(leaf.RawSubject, &name); err != nil || len(rest) > 0 {
		return ""
	}
	return name.String()
}

// namesOf returns the alternative names of a certificate, each with its kind: a name of one kind is none of another.
func namesOf(leaf *x509.Certificate) (names []string) {
	for _, name := range leaf.DNSNames {
		names = append(names, normalName("DNS:"+name))
	}
	for _, uri := range leaf.URIs {
		names = append(names, "URI:"+uri.String())
	}
	for _, address := range leaf.EmailAddresses {
		names = append(names, "email:"+address)
	}
	for _, ip := range leaf.IPAddresses {
		names = append(names, "IP:"+ip.String())
	}
	return names
}

// normalName writes names of DNS, which case does not distinguish, and addresses in one way.
func normalName(name string) string {
	kind, rest, _ := strings.Cut(name, ":")
	switch kind {
	case "DNS":
		return "DNS:" + strings.ToLower(rest)
	case "IP":
		if ip := net.ParseIP(rest); ip != nil {
			return "IP:" + ip.String()
		}
	}
	return name
}
