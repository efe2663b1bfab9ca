package membership

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
)

// largestSecret is how many bytes a file with a token, a certificate or a key may have.
const largestSecret = 256 << 10

// watched is a small file that is read again when it changes.
type watched struct {
	path string
	last os.FileInfo // as it was when it was last read
}

// changed says whether the file is not what it was when it was last read.
func (w *watched) changed() bool {
	now, err := os.Stat(w.path)
	return err != nil || !sameState(w.last, now)
}

func (w *watched) read() ([]byte, error) {
	info, err := os.Stat(w.path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // to open a pipe would wait for its writer
		return nil, fmt.Errorf("%s is not a regular file", w.path)
	}
	file, err := os.Open(w.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, largestSecret+1))
	if err != nil {
		return nil, err
	}
	if len(data) > largestSecret {
		return nil, fmt.Errorf("%s is larger than %d bytes", w.path, largestSecret)
	}
	w.last = info // as of before the reading, so that what came during it is read again
	return data, nil
}

// bearer is the token that requests carry. One that cannot be read any more stays what it was: files are away for a
// moment while they are replaced.
type bearer struct {
	logger *slog.Logger

	mu     sync.Mutex
	file   watched // without a path where the token is fixed
	token  string
	failed bool // told once
}

func openToken(cfg HTTPConfig) (*bearer, error) {
	b := &bearer{logger: cfg.Logger, file: watched{path: cfg.TokenFile}}
	var err error
	switch {
	case cfg.Token != "" && cfg.TokenFile != "":
		return nil, errors.New("a token and a token file are given for the application: choose one")
	case cfg.Token != "":
		b.token, err = cleanToken(cfg.Token)
	case cfg.TokenFile != "":
		b.token, err = b.read()
	}
	if err != nil {
		return nil, fmt.Errorf("the application's token: %w", err)
	}
	return b, nil
}

func (b *bearer) read() (string, error) {
	data, err := b.file.read()
	if err != nil {
		return "", err
	}
	return cleanToken(string(data))
}

func cleanToken(text string) (string, error) {
	token := strings.TrimSpace(text)
	switch {
	case token == "":
		return "", errors.New("it is empty")
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errors.New("it has characters that cannot be sent: use ASCII letters, digits and punctuation, no spaces")
	}
	return token, nil
}

// current is the token to send, empty for none.
func (b *bearer) current() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file.path != "" && b.file.changed() {
		b.refresh()
	}
	return b.token
}

// renewed says whether there is another token than the one that was refused.
func (b *bearer) renewed(refused string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file.path != "" {
		b.refresh()
	}
	return b.token != refused
}

func (b *bearer) refresh() {
	token, err := b.read()
	if err != nil {
		if !b.failed {
			b.logger.Error("the application's token cannot be read, the last one is used", "path", b.file.path, "error", err)
		}
		b.failed = true
		return
	}
	b.token, b.failed = token, false
}

// clientCertificate is read anew when its files change. Where that fails, as between the writing of the two, the last
// good one is used.
type clientCertificate struct {
	logger *slog.Logger

	mu               sync.Mutex
	certificate, key watched
	pair             *tls.Certificate
	failed           bool // told once
}

// get is for [tls.Config].
func (c *clientCertificate) get(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair != nil && !c.certificate.changed() && !c.key.changed() {
		return c.pair, nil
	}
	pair, err := c.read()
	switch {
	case err == nil:
		c.pair, c.failed = pair, false
	case c.pair == nil:
		return nil, fmt.Errorf("the client certificate: %w", err)
	case !c.failed:
		c.logger.Error("the client certificate cannot be read, the last one is used",
			"certificate", c.certificate.path, "key", c.key.path, "error", err)
		c.failed = true
	}
	return c.pair, nil
}

func (c *clientCertificate) read() (*tls.Certificate, error) {
	certificate, err := c.certificate.read()
	if err != nil {
		return nil, err
	}
	key, err := c.key.read()
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	return &pair, nil
}
