package traces

import (
	"cmp"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp/loopback"
	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// setting returns one of OpenTelemetry's variables for an exporter: that for traces, or else that for everything.
func setting(name string) string {
	const prefix = "OTEL_EXPORTER_OTLP_"
	return strings.TrimSpace(cmp.Or(os.Getenv(prefix+"TRACES_"+name), os.Getenv(prefix+name)))
}

// checkEndpoint refuses a collector whose traces, and the keys among its headers, anyone on the network could read. What the SDK does
// not understand it replaces by this machine.
func checkEndpoint() error {
	u, err := url.Parse(setting("ENDPOINT"))
	if err != nil || strings.EqualFold(setting("INSECURE"), "true") || loopback.Is(u.Hostname()) {
		return nil
	}
	if strings.EqualFold(u.Scheme, "http") || strings.EqualFold(u.Scheme, "unix") {
		return errors.New("over plain http anyone on the network can read them, and the keys in OTEL_EXPORTER_OTLP_HEADERS: use https in " +
			"OTEL_EXPORTER_OTLP_ENDPOINT, or set OTEL_EXPORTER_OTLP_INSECURE=true if the network is trusted")
	}
	return nil
}

const defaultTimeout = 10 * time.Second // as OpenTelemetry has it

// collectorClient returns a client that follows no redirect, which would take the headers elsewhere.
func collectorClient(logger *slog.Logger) (*http.Client, error) {
	secure, err := rotation.OpenTLS(rotation.TLSConfig{
		CAFile: setting("CERTIFICATE"), CertFile: setting("CLIENT_CERTIFICATE"), KeyFile: setting("CLIENT_KEY"), Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	timeout := defaultTimeout
	if ms, err := strconv.ParseUint(setting("TIMEOUT"), 10, 31); err == nil && ms > 0 {
		timeout = time.Duration(ms) * time.Millisecond
	}
	transport, err := rotation.NewTransport(rotation.TransportConfig{
		Version: func() any { return secure.Config() },
		New: func() (*http.Transport, error) {
			return &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				DialContext:            (&net.Dialer{Timeout: timeout}).DialContext,
				TLSClientConfig:        secure.Config().Clone(), // the transport changes its protocols
				TLSHandshakeTimeout:    timeout,
				ForceAttemptHTTP2:      true,
				IdleConnTimeout:        time.Minute,
				MaxResponseHeaderBytes: 64 << 10,
			}, nil
		},
	})
	return &http.Client{
		Transport: transport, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, err
}
