package follow

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"github.com/open-policy-agent/opa/v1/keys"
	"github.com/open-policy-agent/opa/v1/logging"
	"github.com/open-policy-agent/opa/v1/plugins/rest"

	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// client sends requests to a service with its TLS settings, headers and credentials. OPA's plugins apply the credentials
// and, when needed, reread most of the files that these name; client rereads the others.
type client struct {
	http        *http.Client
	transport   *rotation.Transport
	url         string
	headers     map[string]string
	secrets     []string // the configured values that messages must not contain
	logger      *slog.Logger
	authorities *rotation.Value[*x509.CertPool] // nil: the system's

	mu          sync.Mutex // guards the fields below: the plugins are not safe for concurrent use
	plugin      rest.HTTPAuthPlugin
	cfg         *rest.Config
	token       *lazyValue[string]           // the bearer token; nil if the settings name no file for it
	certificate *lazyValue[*tls.Certificate] // the client's; nil if the settings name none
}

// newClient makes a client for a service. It fails if the credentials are malformed. If holdsHead is set, the server may
// withhold the response header for as long as the request lasts.
func newClient(s *service, holdsHead bool) (*client, error) {
	c := &client{secrets: secretsOf(s.config), logger: s.logger}
	if c.logger == nil {
		c.logger = slog.Default()
	}
	service, err := rest.New(s.config, map[string]*keys.Config{}, rest.Logger(logging.NewNoOpLogger()), rest.Name("bundle"))
	if err != nil {
		return nil, c.redact(err)
	}
	if holdsHead {
		service = service.SetResponseHeaderTimeout(new(int64))
	}
	c.cfg = service.Config()
	if c.plugin, err = c.cfg.AuthPlugin(service.AuthPluginLookup()); err != nil {
		return nil, c.redact(err)
	}
	if c.http, err = c.plugin.NewClient(*c.cfg); err != nil { // reports faulty settings before unreadable files
		return nil, c.redact(err)
	}
	if c.authorities, err = c.openAuthorities(); err != nil {
		return nil, c.redact(err)
	}
	c.takeOverFiles()
	c.transport, err = rotation.NewTransport(rotation.TransportConfig{
		New: c.newTransport, Version: func() any { return c.rootCAs() },
	})
	if err != nil {
		return nil, c.redact(err)
	}
	c.http.Transport, c.http.CheckRedirect = c.transport, checkRedirect
	c.url, c.headers = c.cfg.URL, c.cfg.Headers
	return c, nil
}

// openAuthorities reads the CA file, which OPA's settings can name in two places.
func (c *client) openAuthorities() (*rotation.Value[*x509.CertPool], error) {
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

func (c *client) rootCAs() *x509.CertPool {
	if c.authorities == nil {
		return nil
	}
	return c.authorities.Get()
}

// takeOverFiles takes over the files of the token and the client certificate from the plugins, which forget the last good
// content when a file becomes unreadable.
func (c *client) takeOverFiles() {
	if bearer := c.cfg.Credentials.Bearer; bearer != nil && bearer.TokenPath != "" {
		c.token = &lazyValue[string]{cfg: rotation.Config[string]{
			Name: "the token of the credentials", Paths: []string{bearer.TokenPath}, Logger: c.logger, HidePaths: true, Parse: rotation.ParseToken,
		}}
		bearer.TokenPath = ""
	}
	if pair := c.cfg.Credentials.ClientTLS; pair != nil {
		pair.CertRereadIntervalSeconds = nil // client rereads the files when they change
		c.certificate = &lazyValue[*tls.Certificate]{cfg: rotation.Config[*tls.Certificate]{
			Name: "the client certificate", Paths: []string{pair.Cert, pair.PrivateKey}, Logger: c.logger, HidePaths: true,
		}}
	}
}

// newTransport makes a transport as OPA's plugin does, with the current authorities.
func (c *client) newTransport() (*http.Transport, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	made, err := c.plugin.NewClient(*c.cfg)
	if err != nil {
		return nil, err
	}
	transport, ok := made.Transport.(*http.Transport)
	if !ok {
		return nil, errors.New("the credentials have a transport of an unknown kind")
	}
	if pool := c.rootCAs(); pool != nil {
		transport.TLSClientConfig.RootCAs = pool
	}
	if c.certificate != nil {
		c.certificate.cfg.Parse = c.parsePair(transport.TLSClientConfig)
		transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			pair, err := c.certificate.get()
			if err != nil {
				return nil, c.redact(err)
			}
			return pair, nil
		}
	}
	return transport, nil
}

// parsePair reads certificate and key through the plugin, which knows how to decrypt keys.
func (c *client) parsePair(settings *tls.Config) func([][]byte) (*tls.Certificate, error) {
	load := settings.GetClientCertificate
	return func([][]byte) (*tls.Certificate, error) { return load(&tls.CertificateRequestInfo{}) }
}

// authorize adds the credentials to a request.
func (c *client) authorize(r *http.Request) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != nil {
		token, err := c.token.get()
		if err != nil {
			return c.redact(err)
		}
		c.cfg.Credentials.Bearer.Token = token
	}
	if err := c.plugin.Prepare(r); err != nil {
		return c.redact(err)
	}
	return nil
}

// get sends a GET request for a path below the service's URL.
func (c *client) get(ctx context.Context, path string, headers map[string]string) (*http.Response, error) {
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
	if err := c.authorize(r); err != nil {
		return nil, err
	}
	setPlainHeaders(r)
	return c.http.Do(r)
}

// setPlainHeaders asks for the file unencoded and uncached, because a cached copy may be truncated. It is called after the
// request is signed, because proxies change these headers.
func setPlainHeaders(r *http.Request) {
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Set("Cache-Control", "no-cache")
}

// lazyValue is a [rotation.Value] that is opened on first use, so that a missing file does not keep the server from
// starting. It is not safe for concurrent use.
type lazyValue[T any] struct {
	cfg   rotation.Config[T]
	value *rotation.Value[T]
}

func (l *lazyValue[T]) get() (T, error) {
	if l.value == nil {
		value, err := rotation.Open(l.cfg)
		if err != nil {
			var none T
			return none, err
		}
		l.value = value
	}
	return l.value.Get(), nil
}
