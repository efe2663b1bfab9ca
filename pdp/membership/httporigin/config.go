package httporigin

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/rotation"

	"github.com/wardkeeper/wardkeeper/pdp/membership"
)

// Config is what an HTTP origin is made of.
type Config struct {
	// URL is what the paths of the contract ([OpenAPI]) follow. It is https, unless its host is this machine or Insecure
	// says so.
	URL string
	// Token, or the one in TokenFile, is sent as a bearer token; the file is read again when it changes. Neither: none.
	Token, TokenFile string
	// CertificateFile and KeyFile are the client certificate (PEM); they are read again when they change.
	CertificateFile, KeyFile string
	// CAFile has the certificates (PEM) that the application's is trusted by, instead of the system's. It is read again
	// when it changes.
	CAFile string
	// Insecure allows http over a network, where tokens and facts can be read and changed on their way.
	Insecure bool
	// Timeout is how long one attempt may take, body included; 0 means 1 s.
	Timeout time.Duration
	// Retries is how many attempts follow the first, where another is worth while; 0 means 2, less than 0 none.
	Retries int
	// MaxConnections is how many requests are on their way at a time, others wait; 0 means 32.
	MaxConnections int
	// KeptBytes bounds the answers kept for 304 Not Modified; 0 means 16 MiB, less than 0 none.
	KeptBytes int
	Logger    *slog.Logger // nil: slog.Default()

	life  time.Duration // of connections; 0 means [rotation.MaxAge]
	pause time.Duration // before the second attempt, doubled from there; 0 means 50 ms
	rest  time.Duration // how long an application that is down is left alone; 0 means 1 s
}

// Open makes the origin. It asks nothing yet: [Origin.Check] does.
func Open(cfg Config) (*Origin, error) {
	base, err := readBase(cfg.URL, cfg.Insecure)
	if err != nil {
		return nil, err
	}
	cfg.defaults()
	token, err := openToken(cfg)
	if err != nil {
		return nil, err
	}
	secured, err := rotation.OpenTLS(rotation.TLSConfig{
		CAFile: cfg.CAFile, CertFile: cfg.CertificateFile, KeyFile: cfg.KeyFile, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	transport, err := rotation.NewTransport(rotation.TransportConfig{
		New:     func() (*http.Transport, error) { return cfg.transport(secured), nil },
		Version: func() any { return secured.Config() }, MaxAge: cfg.life,
	})
	if err != nil {
		return nil, err
	}
	h := &Origin{
		base: base, timeout: cfg.Timeout, retries: max(cfg.Retries, 0), pause: cfg.pause, token: token, logger: cfg.Logger,
		slots:     make(chan struct{}, cfg.MaxConnections),
		kept:      newKeptAnswers(cfg.KeptBytes),
		transport: transport,
	}
	h.client = &http.Client{
		Transport: h.transport,
		// The token is for the application alone.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	h.breaker = newBreaker(cfg.rest, h.base.Host, cfg.Logger)
	return h, nil
}

func (cfg *Config) transport(secured *rotation.TLS) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: cfg.Timeout, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:        secured.Config().Clone(), // net/http adds the protocols to it
		TLSHandshakeTimeout:    cfg.Timeout,
		ForceAttemptHTTP2:      true,
		MaxConnsPerHost:        cfg.MaxConnections,
		MaxIdleConnsPerHost:    cfg.MaxConnections,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
		// A connection that went silent would otherwise be used until the kernel gives it up, after minutes.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 2 * time.Second},
	}
}

func (cfg *Config) defaults() {
	if cfg.Timeout <= 0 {
		cfg.Timeout = time.Second
	}
	if cfg.Retries == 0 {
		cfg.Retries = 2
	}
	if cfg.MaxConnections <= 0 {
		cfg.MaxConnections = 32
	}
	if cfg.KeptBytes == 0 {
		cfg.KeptBytes = 16 << 20
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.pause <= 0 {
		cfg.pause = 50 * time.Millisecond
	}
	if cfg.rest <= 0 {
		cfg.rest = time.Second
	}
}

// readBase reads the address. Its errors do not repeat it, for there may be a secret in it.
func readBase(text string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("the application's URL cannot be read: say https://HOST/PATH")
	case u.User != nil:
		return nil, errors.New("the application's URL has a user or password in it: use a token file or a client certificate")
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("the application's URL must be an https address: say https://HOST/PATH")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("the application's URL must not have a query or a fragment")
	case u.Scheme == "http" && !insecure && !isLoopback(u.Hostname()):
		return nil, fmt.Errorf("the application at %s would be asked over plain http, where whoever is on the way can read "+
			"the token and change who holds which role: use https, or say that this network is safe (insecure)", membership.Quote(u.Host))
	}
	u = u.JoinPath()
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return u, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
