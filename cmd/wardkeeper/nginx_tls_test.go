package main

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// privateCA creates a private certificate authority, and a certificate and key for this machine, signed by it.
func privateCA(t *testing.T) (ca, certificate string) {
	t.Helper()
	a := newAuthority(t)
	issued, key := a.issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "nginx"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return a.pem, issued + key
}

func TestPrivateAuthorityIsTrustedOnlyIfConfigured(t *testing.T) {
	t.Parallel()
	ca, certificate := privateCA(t)
	n := newNginx(t, certificate)
	s := newSubscriber(t, n, ca)
	n.publish(t, smallRelease(1).signed(t, s.signer))
	s.startServer(t).waitForRelease(t, 1)

	stranger := newSubscriber(t, n, "")
	d := stranger.startServer(t)
	waitUntil(t, "the server is asked", func() bool { return d.revision(t).Attempt != nil })
	now := d.revision(t)
	require.Empty(t, now.ID)
	require.Equal(t, "unavailable", now.Attempt.Reason)
	require.Contains(t, now.Attempt.Message, "certificate signed by unknown authority")
	ready, _ := d.readiness(t)
	require.False(t, ready)
	w, _ := post(t, d.url, "", viewJane)
	require.Equal(t, 503, w.StatusCode)
}

// bulky returns a release with size bytes of data that do not compress well.
func bulky(t *testing.T, n int64, size int) testRelease {
	t.Helper()
	bulk := make([]byte, size)
	_, err := rand.Read(bulk)
	require.NoError(t, err)
	r := smallRelease(n)
	r.files["app/bulk/data.json"] = `{"bulk": "` + hex.EncodeToString(bulk) + `"}`
	return r
}
