package httporigin

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/loopback"
	"github.com/wardkeeper/wardkeeper/pdp/rotation"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// Config configures an [Origin].
type Config struct {
	// URL precedes the paths of the contract ([OpenAPI]). It must be https unless its host is a loopback address or Insecure is set.
	URL string
	// Token, or the content of TokenFile, is sent as a bearer token. The file is read again when it changes. At most one of
	// them may be set.
	Token, TokenFile string
	// CertificateFile and KeyFile contain the client certificate and its key (PEM). They are read again when they change.
	CertificateFile, KeyFile string
	// CAFile contains the authorities (PEM) trusted to sign the application's certificate, instead of the system's. It is
	// read again when it changes.
	CAFile string
	// Insecure allows http over a network, where others can read and modify tokens and facts.
	Insecure bool
	// Timeout limits one attempt, including the body; 0 means 1 s.
	Timeout time.Duration
	// Retries is the number of attempts after the first if the failure may be temporary; 0 means 2, a negative number none.
	Retries int
	// MaxConnections limits concurrent requests; others wait. 0 means 32.
	MaxConnections int
	Logger         *slog.Logger // nil means slog.Default()

	connectionMaxAge time.Duration // 0 means [rotation.MaxAge]
	backoff          time.Duration // before the second attempt; doubles with each further one; 0 means 50 ms
	breakerTimeout   time.Duration // how long the circuit breaker stays open; 0 means 1 s
}

// Open returns an origin. It does not connect to the application; [Origin.Check] does. Errors are faults of the
// configuration.
func Open(cfg Config) (*Origin, error) {
	base, err := parseURL(cfg.URL, cfg.Insecure)
	if err != nil {
		return nil, err
	}
	cfg.setDefaults()
	token, err := openToken(cfg)
	if err != nil {
		return nil, err
	}
	tlsConfig, err := rotation.OpenTLS(rotation.TLSConfig{
		CAFile: cfg.CAFile, CertFile: cfg.CertificateFile, KeyFile: cfg.KeyFile, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	transport, err := rotation.NewTransport(rotation.TransportConfig{
		New:     func() (*http.Transport, error) { return cfg.transport(tlsConfig), nil },
		Version: func() any { return tlsConfig.Config() }, MaxAge: cfg.connectionMaxAge,
	})
	if err != nil {
		return nil, err
	}
	h := &Origin{
		base: base, timeout: cfg.Timeout, retries: max(cfg.Retries, 0), backoff: cfg.backoff, token: token, logger: cfg.Logger,
		slots:     make(chan struct{}, cfg.MaxConnections),
		etags:     newETagCache(etagCacheBytes),
		transport: transport,
	}
	h.client = &http.Client{
		Transport: h.transport,
		// A redirect would send the token to another server.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	h.breaker = newBreaker(cfg.breakerTimeout, h.base.Host, &h.down, cfg.Logger)
	return h, nil
}

func (cfg *Config) transport(tlsConfig *rotation.TLS) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: cfg.Timeout, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:        tlsConfig.Config().Clone(), // the transport changes its protocols
		TLSHandshakeTimeout:    cfg.Timeout,
		ForceAttemptHTTP2:      true,
		MaxConnsPerHost:        cfg.MaxConnections,
		MaxIdleConnsPerHost:    cfg.MaxConnections,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
		// Without pings, a dead connection would be used for minutes until the kernel drops it.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 2 * time.Second},
	}
}

func (cfg *Config) setDefaults() {
	cfg.Timeout = cmp.Or(cfg.Timeout, time.Second)
	cfg.Retries = cmp.Or(cfg.Retries, 2)
	cfg.MaxConnections = cmp.Or(cfg.MaxConnections, 32)
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	cfg.backoff = cmp.Or(cfg.backoff, 50*time.Millisecond)
	cfg.breakerTimeout = cmp.Or(cfg.breakerTimeout, time.Second)
}

// parseURL checks the address. Its errors do not quote it, because it may contain a secret.
func parseURL(text string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("the application's URL cannot be parsed: use https://HOST/PATH")
	case u.User != nil:
		return nil, errors.New("the application's URL contains a user or password: use a token file or a client certificate")
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("the application's URL must be an https address: use https://HOST/PATH")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("the application's URL must not have a query or a fragment")
	case u.Scheme == "http" && !insecure && !loopback.Is(u.Hostname()):
		return nil, fmt.Errorf("the application at %s would be called over plain http, where anyone on the network can read "+
			"the token and change who holds which role: use https, or set insecure if this network is trusted", membership.Quote(u.Host))
	}
	u = u.JoinPath()
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return u, nil
}
