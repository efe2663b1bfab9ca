package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// authority is a certificate authority.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         string
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	a := authority{key: key, certificate: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tests"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}}
	der, err := x509.CreateCertificate(rand.Reader, a.certificate, a.certificate, key.Public(), key)
	require.NoError(t, err)
	a.pem = pemBlock("CERTIFICATE", der)
	return a
}

// issue returns a certificate and its key (PEM). Its times are those of the authority unless it has its own.
func (a authority) issue(t *testing.T, c *x509.Certificate) (certificate, key string) {
	t.Helper()
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = a.certificate.NotBefore, a.certificate.NotAfter
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, c, a.certificate, private.Public(), a.key)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return pemBlock("CERTIFICATE", der), pemBlock("PRIVATE KEY", pkcs8)
}

func pemBlock(kind string, data []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}))
}

// forServer issues a certificate for this machine.
func (a authority) forServer(t *testing.T, name string) (certificate, key string) {
	t.Helper()
	return a.issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

// forClient issues a client certificate. change may be nil.
func (a authority) forClient(t *testing.T, name string, change func(*x509.Certificate)) *tls.Certificate {
	t.Helper()
	c := &x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if change != nil {
		change(c)
	}
	certificate, key := a.issue(t, c)
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	require.NoError(t, err)
	return &pair
}

// client returns a client that trusts the authority. certificate may be nil.
func (a authority) client(t *testing.T, certificate *tls.Certificate) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: a.config(t, certificate), ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (a authority) config(t *testing.T, certificate *tls.Certificate) *tls.Config {
	t.Helper()
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM([]byte(a.pem)))
	config := &tls.Config{RootCAs: pool}
	if certificate != nil {
		config.Certificates = []tls.Certificate{*certificate}
	}
	return config
}

// serverFiles writes a certificate and its key for this machine, and returns the flags that name them.
func (a authority) serverFiles(t *testing.T) []string {
	t.Helper()
	certificate, key := a.forServer(t, "first")
	return []string{"--tls-cert-file", writeFile(t, "tls.crt", certificate), "--tls-key-file", writeFile(t, "tls.key", key)}
}

func TestServeTLS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	socket := socketPath(t)
	d := startServer(t, append(a.serverFiles(t), "--addr", "unix:"+socket, "--directory", testDirectory, "--token-file", writeFile(t, "token", firstToken))...)
	require.True(t, strings.HasPrefix(d.url, "https://127.0.0.1:"), d.url)
	require.Contains(t, d.start["msg"], "wardkeeper serves "+d.url+" and unix:"+socket+", ")

	client := a.client(t, nil)
	w, body := postWith(t, client, d.url+evaluationPath, firstToken, viewJane)
	require.Equal(t, `{"decision":true}`, body)
	require.Equal(t, 2, w.ProtoMajor, "HTTP/2 by ALPN")
	require.GreaterOrEqual(t, w.TLS.Version, uint16(tls.VersionTLS12))
	w, err := client.Get(d.url + "/.well-known/authzen-configuration")
	require.NoError(t, err)
	metadata, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	require.NoError(t, w.Body.Close())
	require.Contains(t, string(metadata), `"`+d.url+evaluationPath+`"`)

	old := a.config(t, nil)
	old.NextProtos = []string{"http/1.1"}
	old.MaxVersion = tls.VersionTLS12
	transport := &http.Transport{TLSClientConfig: old}
	w, body = postWith(t, &http.Client{Transport: transport}, d.url+evaluationPath, firstToken, viewJane)
	require.Equal(t, `{"decision":true}`, body)
	require.Equal(t, 1, w.ProtoMajor)
	transport.CloseIdleConnections()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	_, err = tls.Dial("tcp", strings.TrimPrefix(d.url, "https://"), old)
	require.ErrorContains(t, err, "protocol version")

	plain, err := http.Get("http" + strings.TrimPrefix(d.url, "https") + "/health")
	require.NoError(t, err)
	require.NoError(t, plain.Body.Close())
	require.Equal(t, http.StatusBadRequest, plain.StatusCode, "it speaks TLS alone")
	_, body = postWith(t, socketClient(t, socket), "http://localhost"+evaluationPath, firstToken, viewJane)
	require.Equal(t, `{"decision":true}`, body, "sockets stay without TLS")

	token := writeFile(t, "token", firstToken)
	ask := []string{"ask", "alice", "user.view", "jane", "--server", d.url, "--token-file", token}
	require.Contains(t, run(t, nil, ask...).err, "certificate signed by unknown authority")
	got := run(t, nil, append(ask, "--ca-file", writeFile(t, "ca.pem", a.pem))...)
	require.Equal(t, statusOK, got.status, got)
}

// Certificate and key are replaced one after the other, as rotations do, while clients connect anew for each question.
func TestCertificateIsReplacedUnderLoad(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	files := a.serverFiles(t)
	d := startServer(t, append(files, "--directory", testDirectory)...)
	var seen sync.Map
	var asked atomic.Int64
	stop := make(chan struct{})
	var asking sync.WaitGroup
	config := a.config(t, nil)
	for range 4 {
		asking.Go(func() {
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
			for {
				select {
				case <-stop:
					return
				default:
				}
				w, err := client.Post(d.url+evaluationPath, "application/json", strings.NewReader(viewJane))
				if !assert.NoError(t, err) {
					return
				}
				assert.Equal(t, http.StatusOK, w.StatusCode)
				seen.Store(w.TLS.PeerCertificates[0].Subject.CommonName, true)
				_ = w.Body.Close()
				asked.Add(1)
			}
		})
	}
	for _, name := range []string{"second", "third"} {
		certificate, key := a.forServer(t, name)
		replaceFile(t, files[1], []byte(certificate))
		d.waitForLog(t, "the server's certificate cannot be used, the last good content stays in force", 1)
		replaceFile(t, files[3], []byte(key))
		waitUntil(t, name+" is presented", func() bool { _, ok := seen.Load(name); return ok || t.Failed() })
	}
	close(stop)
	asking.Wait()
	require.Greater(t, asked.Load(), int64(2))
}

func TestClientCertificates(t *testing.T) {
	t.Parallel()
	a, clients, strangers := newAuthority(t), newAuthority(t), newAuthority(t)
	ca := writeFile(t, "clients.pem", clients.pem)
	now := time.Now()
	good := clients.forClient(t, "portal", nil)
	for name, c := range map[string]struct {
		certificate        *tls.Certificate
		required, optional bool
	}{
		"none":              {nil, false, true},
		"good":              {good, true, true},
		"unknown authority": {strangers.forClient(t, "portal", nil), false, false},
		"expired":           {clients.forClient(t, "portal", func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(-time.Hour), now.Add(-time.Minute) }), false, false},
		"not valid yet":     {clients.forClient(t, "portal", func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(time.Hour), now.Add(2*time.Hour) }), false, false},
		"for servers": {clients.forClient(t, "portal", func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}), false, false},
	} {
		for _, choice := range []string{"required", "optional"} {
			t.Run(name+", "+choice, func(t *testing.T) {
				t.Parallel()
				d := startServer(t, append(a.serverFiles(t), "--directory", testDirectory, "--tls-client-ca-file", ca, "--tls-client-certificates", choice)...)
				config := a.config(t, nil)
				// Without a choice of its own a client would not send a certificate of an authority that the server does not name.
				config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					if c.certificate == nil {
						return &tls.Certificate{}, nil
					}
					return c.certificate, nil
				}
				client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
				w, err := client.Post(d.url+evaluationPath, "application/json", strings.NewReader(viewJane))
				if choice == "required" && !c.required || choice == "optional" && !c.optional {
					require.Error(t, err)
					return
				}
				require.NoError(t, err)
				require.NoError(t, w.Body.Close())
				require.Equal(t, http.StatusOK, w.StatusCode)
			})
		}
	}
}

// Connections live for as long as somebody asks over them, whoever the callers are.
func TestConnectionOutlivesItsAuthority(t *testing.T) {
	t.Parallel()
	a, clients := newAuthority(t), newAuthority(t)
	for name, args := range map[string][]string{"no callers": nil, "callers by token": {"--token-file", writeFile(t, "token", firstToken)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ca := writeFile(t, "clients.pem", clients.pem)
			d := startServer(t, append(append(a.serverFiles(t), "--directory", testDirectory, "--tls-client-ca-file", ca), args...)...)
			client := a.client(t, clients.forClient(t, "portal", nil))
			status := func() int {
				w, _ := send(t, client, "POST", d.url+evaluationPath, "Bearer "+firstToken, viewJane)
				return w.StatusCode
			}
			require.Equal(t, http.StatusOK, status())
			replaceFile(t, ca, []byte(newAuthority(t).pem))
			waitUntil(t, "the certificate is refused", func() bool { return status() == http.StatusUnauthorized })
		})
	}
}

func TestTLSOfEnvoysAddress(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	socket := socketPath(t)
	d := startServer(t, append(a.serverFiles(t), "--directory", testDirectory, "--routes", writeFile(t, "routes.yaml", routesOfEnvoy),
		"--token-file", writeFile(t, "token", firstToken), "--ext-authz", "127.0.0.1:0", "--ext-authz", "unix:"+socket)...)
	d.waitForLog(t, "wardkeeper answers Envoy", 1)
	_, address, _ := strings.Cut(d.log.String(), `"addresses":["`)
	address, _, _ = strings.Cut(address, `"`)
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(a.config(t, nil))))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.Equal(t, http.StatusOK, envoy{conn, firstToken}.status(t, "GET", "/users/jane", "alice", ""))
	require.Equal(t, http.StatusOK, newEnvoy(t, "unix:"+socket, firstToken).status(t, "GET", "/users/jane", "alice", ""))
}

func TestFaultsOfTLSAreReportedTogether(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	certificate, key := a.forServer(t, "first")
	_, otherKey := a.forServer(t, "other")
	good, goodKey := writeFile(t, "tls.crt", certificate), writeFile(t, "tls.key", key)
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"no key":         {[]string{"--tls-cert-file", good}, []string{"--tls-cert-file is set and --tls-key-file is not"}},
		"no certificate": {[]string{"--tls-key-file", goodKey}, []string{"--tls-key-file is set and --tls-cert-file is not"}},
		"missing files": {
			[]string{"--tls-cert-file", filepath.Join(t.TempDir(), "none.crt"), "--tls-key-file", goodKey, "--tls-client-ca-file", filepath.Join(t.TempDir(), "none.pem"), "--log-level", "loud"},
			[]string{"none.crt: no such file", "none.pem: no such file", "--log-level is"},
		},
		"another key":          {[]string{"--tls-cert-file", good, "--tls-key-file", writeFile(t, "tls.key", otherKey)}, []string{"private key does not match public key"}},
		"truncated":            {[]string{"--tls-cert-file", writeFile(t, "tls.crt", certificate+certificate[:len(certificate)/2]), "--tls-key-file", goodKey}, []string{"truncated or malformed"}},
		"no authority in it":   {[]string{"--tls-cert-file", good, "--tls-key-file", goodKey, "--tls-client-ca-file", goodKey}, []string{"it holds no certificate"}},
		"authorities, no TLS":  {[]string{"--tls-client-ca-file", good}, []string{"--tls-client-ca-file needs TLS"}},
		"optional, no CA":      {[]string{"--tls-cert-file", good, "--tls-key-file", goodKey, "--tls-client-certificates", "optional"}, []string{"--tls-client-certificates needs their authorities"}},
		"another choice":       {[]string{"--tls-client-certificates", "maybe"}, []string{`--tls-client-certificates is "maybe": choose from optional, required`}},
		"optional is not auth": {[]string{"--addr", "0.0.0.0:0", "--tls-cert-file", good, "--tls-key-file", goodKey, "--tls-client-ca-file", good, "--tls-client-certificates", "optional"}, []string{"which other machines can reach"}},
	} {
		got := run(t, nil, append([]string{"serve", "--check", "--directory", testDirectory}, c.args...)...)
		assert.Equal(t, statusFailed, got.status, "%s: %v", name, got)
		for _, want := range c.want {
			assert.Contains(t, got.err, want, name)
		}
		assert.NotContains(t, got.err, "PRIVATE", name)
	}
	require.NoError(t, os.Chmod(goodKey, 0o644))
	got := run(t, nil, "serve", "--check", "--directory", testDirectory, "--addr", "0.0.0.0:0", "--tls-cert-file", good, "--tls-key-file", goodKey, "--tls-client-ca-file", good)
	assert.Equal(t, statusOK, got.status, got)
	assert.Contains(t, got.err, "Every user of this machine can read the key: remove that permission (chmod o-r).")
}

// A connection that does not begin its handshake gives way, and stopping does not wait for it.
func TestConnectionsWithoutHandshakeGiveWay(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	d := startServer(t, append(a.serverFiles(t), "--directory", testDirectory, "--max-connections", "2")...)
	for range 4 {
		c, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", strings.TrimPrefix(d.url, "https://"))
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
	}
	w, err := a.client(t, nil).Get(d.url + "/health")
	require.NoError(t, err)
	require.NoError(t, w.Body.Close())
	d.signal(t, syscall.SIGTERM)
	status, logs := d.end()
	require.Equal(t, statusOK, status, logs)
}
