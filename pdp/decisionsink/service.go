package decisionsink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/wardkeeper/wardkeeper/pdp/decisionformat"
	"github.com/wardkeeper/wardkeeper/pdp/loopback"
	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// maxAnswer limits what is read of an answer, in bytes.
const maxAnswer = 64 << 10

// service is an HTTP service.
type service struct {
	cfg       Config
	url       *url.URL
	token     *rotation.Value[string] // nil if there is none
	transport *rotation.Transport
	client    *http.Client
}

func openService(cfg Config) (*service, error) {
	s := &service{cfg: cfg}
	var err error
	if s.url, err = ParseURL(cfg.URL, cfg.Insecure); err != nil {
		return nil, err
	}
	if s.token, err = openToken(cfg.TokenFile, cfg.Logger); err != nil {
		return nil, err
	}
	secure, err := rotation.OpenTLS(rotation.TLSConfig{CAFile: cfg.CAFile, CertFile: cfg.CertFile, KeyFile: cfg.KeyFile, Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	s.transport, err = rotation.NewTransport(rotation.TransportConfig{
		Version: func() any { return secure.Config() },
		New: func() (*http.Transport, error) {
			return &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				DialContext:            (&net.Dialer{Timeout: cfg.Timeout}).DialContext,
				TLSClientConfig:        secure.Config().Clone(), // the transport changes its protocols
				TLSHandshakeTimeout:    cfg.Timeout,
				ForceAttemptHTTP2:      true,
				IdleConnTimeout:        time.Minute,
				MaxConnsPerHost:        1,
				MaxResponseHeaderBytes: 64 << 10,
			}, nil
		},
	})
	s.client = &http.Client{
		Transport:     s.transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // it would send records and token elsewhere
	}
	return s, err
}

// ParseURL checks the address of a service. Its errors do not quote it, because it may contain a secret.
func ParseURL(text string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("it is no address of a service: use https://HOST/PATH")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("the address has a user, a query or a fragment: use https://HOST/PATH, and a token file or a client certificate")
	case u.Scheme == "http" && !insecure && !loopback.Is(u.Hostname()):
		return nil, errors.New("over plain http anyone on the network can read the records and the token: use https, or set insecure if the network is trusted")
	}
	return u, nil
}

// openToken returns nil without a file.
func openToken(path string, logger *slog.Logger) (*rotation.Value[string], error) {
	if path == "" {
		return nil, nil
	}
	return rotation.Open(rotation.Config[string]{
		Name: "the sink's token", Paths: []string{path}, Logger: logger, Parse: rotation.ParseToken,
	})
}

func (s *service) send(ctx context.Context, records [][]byte) (rejected int, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	body, err := compress(s.cfg.Format.Body(s.cfg.Origin, records))
	if err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url.String(), bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	for name, value := range s.cfg.Header {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", s.cfg.Format.ContentType())
	r.Header.Set("Content-Encoding", "gzip")
	r.Header.Set("User-Agent", "wardkeeper")
	if s.token != nil {
		r.Header.Set("Authorization", "Bearer "+s.token.Get())
	}
	w, err := s.client.Do(r)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok { // it repeats the address
			err = failed.Err
		}
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no answer within %s", s.cfg.Timeout)
		}
		return 0, err
	}
	defer func() { _ = w.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(w.Body, maxAnswer)) // not what it says, apart from OTLP: it may repeat the records
	if err := failureOf(w); err != nil {
		return 0, err
	}
	if err != nil { // it may have taken the records
		return 0, fmt.Errorf("the service broke off its answer: %w", err)
	}
	if s.cfg.Format == decisionformat.OTLP {
		return decisionformat.RejectedOTLP(answer), nil
	}
	return 0, nil
}

// failureOf returns why a service did not take the records; nil if it did.
func failureOf(w *http.Response) error {
	status := w.StatusCode
	err := fmt.Errorf("the service answered %d", status)
	switch {
	case status >= 200 && status < 300:
		return nil
	case status == http.StatusRequestEntityTooLarge:
		return errTooLarge
	case status == http.StatusBadRequest || status == http.StatusUnprocessableEntity:
		return fmt.Errorf("%w (%d)", errRefused, status)
	case status >= 300 && status < 400:
		return fmt.Errorf("%w: redirects are not followed, use the address that they lead to", err)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Errorf("%w: check the token or the client certificate", err)
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed:
		return fmt.Errorf("%w: is the address right?", err)
	}
	if seconds, fault := strconv.ParseUint(w.Header.Get("Retry-After"), 10, 31); fault == nil {
		return retryAfter{err, time.Duration(seconds) * time.Second}
	}
	return err
}

func compress(body []byte) ([]byte, error) {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(body); err != nil {
		return nil, err
	}
	err = z.Close()
	return packed.Bytes(), err
}

func (s *service) close() { s.transport.CloseIdleConnections() }
