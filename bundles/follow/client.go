package follow

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/keys"
	"github.com/open-policy-agent/opa/v1/logging"
	"github.com/open-policy-agent/opa/v1/plugins/rest"

	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// maxRedirects is how often a server may send its callers on.
const maxRedirects = 5

// caller sends requests to a service with its TLS, its credentials (those of OPA's plugins) and its headers. OPA's plugins
// read most of what comes from files when it is needed; the rest is read again here.
type caller struct {
	client      *http.Client
	transport   *rotation.Transport
	url         string
	headers     map[string]string
	secrets     []string // the values of the credentials
	logger      *slog.Logger
	authorities *rotation.Value[*x509.CertPool] // nil where none are named

	mu          sync.Mutex // guards the rest: plugins are not made for several goroutines
	plugin      rest.HTTPAuthPlugin
	cfg         *rest.Config
	tokenPath   string                  // of a bearer token; "" where none is named
	token       *rotation.Value[string] // nil until it could be read
	certificate *tls.Certificate        // the last good one of the client
	faulty      string                  // why it is not what the files say, as it was last told
}

// caller makes one. Credentials that cannot be read are told now. patient waits for the head of an answer without limit.
func (s *Service) caller(patient bool) (*caller, error) {
	c := &caller{secrets: secretsOf(s.Config), logger: s.logger}
	if c.logger == nil {
		c.logger = slog.Default()
	}
	service, err := rest.New(s.Config, map[string]*keys.Config{}, rest.Logger(logging.NewNoOpLogger()), rest.Name("bundle"))
	if err != nil {
		return nil, c.hush(err)
	}
	if patient {
		service = service.SetResponseHeaderTimeout(new(int64))
	}
	c.cfg = service.Config()
	if c.plugin, err = c.cfg.AuthPlugin(service.AuthPluginLookup()); err != nil {
		return nil, c.hush(err)
	}
	if c.client, err = c.plugin.NewClient(*c.cfg); err != nil { // its faults come before those of the files
		return nil, c.hush(err)
	}
	if c.authorities, err = c.openAuthorities(); err != nil {
		return nil, c.hush(err)
	}
	if bearer := c.cfg.Credentials.Bearer; bearer != nil {
		c.tokenPath, bearer.TokenPath = bearer.TokenPath, ""
	}
	c.transport, err = rotation.NewTransport(rotation.TransportConfig{
		Make: c.makeTransport, Basis: func() any { return c.pool() },
	})
	if err != nil {
		return nil, c.hush(err)
	}
	c.client.Transport, c.client.CheckRedirect = c.transport, redirected
	c.url, c.headers = c.cfg.URL, c.cfg.Headers
	return c, nil
}

// openAuthorities reads the file of the authorities that the settings name, wherever OPA's do.
func (c *caller) openAuthorities() (*rotation.Value[*x509.CertPool], error) {
	path, system := "", false
	if old := c.cfg.Credentials.ClientTLS; old != nil {
		path, system = old.CACert, old.SystemCARequired
	}
	if named := c.cfg.TLS; named != nil && named.CACert != "" {
		path, system = named.CACert, named.SystemCARequired
	}
	if path == "" {
		return nil, nil
	}
	return rotation.Authorities(path, system, true, c.logger)
}

func (c *caller) pool() *x509.CertPool {
	if c.authorities == nil {
		return nil
	}
	return c.authorities.Get()
}

// makeTransport makes a transport as OPA's plugin does, by the authorities of now.
func (c *caller) makeTransport() (*http.Transport, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	client, err := c.plugin.NewClient(*c.cfg)
	if err != nil {
		return nil, err
	}
	transport, ok := client.Transport.(*http.Transport)
	if !ok {
		return nil, errors.New("the credentials have a transport of an unknown kind")
	}
	if pool := c.pool(); pool != nil {
		transport.TLSClientConfig.RootCAs = pool
	}
	if secured := transport.TLSClientConfig; secured != nil && secured.GetClientCertificate != nil {
		get := secured.GetClientCertificate
		secured.GetClientCertificate = func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.lastGood(get(r)) }
	}
	return transport, nil
}

// lastGood is the client's certificate, or the one before where its files are at fault.
func (c *caller) lastGood(read *tls.Certificate, err error) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		if c.faulty != "" {
			c.logger.Info("the client certificate can be used again")
		}
		c.certificate, c.faulty = read, ""
		return read, nil
	}
	if err = c.hush(err); c.certificate == nil {
		return nil, err
	}
	if err.Error() != c.faulty {
		c.faulty = err.Error()
		c.logger.Warn("the client certificate cannot be used, the last good content stays in force", "error", err)
	}
	return c.certificate, nil
}

// prepare gives a request its credentials.
func (c *caller) prepare(r *http.Request) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tokenPath != "" {
		token, err := c.tokenNow()
		if err != nil {
			return c.hush(err)
		}
		c.cfg.Credentials.Bearer.Token = token
	}
	if err := c.plugin.Prepare(r); err != nil {
		return c.hush(err)
	}
	return nil
}

func (c *caller) tokenNow() (token string, err error) {
	if c.token == nil {
		c.token, err = rotation.Open(rotation.Config[string]{
			Name: "the token of the credentials", Paths: []string{c.tokenPath}, Logger: c.logger, Discreet: true,
			Parse: func(contents [][]byte) (string, error) {
				if token := strings.TrimSpace(string(contents[0])); token != "" {
					return token, nil
				}
				return "", errors.New("it is empty")
			},
		})
		if err != nil {
			c.token = nil
			return "", err
		}
	}
	return c.token.Get(), nil
}

// get asks for a path below the service's url.
func (c *caller) get(ctx context.Context, path string, headers map[string]string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/"+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "wardkeeper")
	for _, set := range []map[string]string{c.headers, headers} {
		for name, value := range set {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
	}
	if err := c.prepare(r); err != nil {
		return nil, err
	}
	plainly(r)
	return c.client.Do(r)
}

// plainly asks for the file as it is, and for no copy that a cache takes to be good: it may have been cut off. It comes
// after what signs a request, since proxies change these headers.
func plainly(r *http.Request) {
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Set("Cache-Control", "no-cache")
}

// bounded follows a server that sends its callers on, but not without end.
func bounded(via []*http.Request) error {
	if len(via) >= maxRedirects {
		return errors.New("the server sends its callers on without end")
	}
	return nil
}

// elsewhere says whether a request has come to another server than the one that was asked.
func elsewhere(r *http.Request, via []*http.Request) bool {
	return r.URL.Host != via[0].URL.Host || r.URL.Scheme != via[0].URL.Scheme
}

// redirected keeps credentials and whatever else is configured from other servers.
func redirected(r *http.Request, via []*http.Request) error {
	if !elsewhere(r, via) {
		return bounded(via)
	}
	kept := http.Header{}
	for _, name := range []string{"User-Agent", "Prefer", "If-None-Match", "Accept-Encoding", "Cache-Control"} {
		if value := r.Header.Get(name); value != "" {
			kept.Set(name, value)
		}
	}
	r.Header = kept
	return bounded(via)
}
