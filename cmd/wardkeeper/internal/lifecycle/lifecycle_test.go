package lifecycle

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// running is a server with one request in flight, which finishes when release is closed.
type running struct {
	url      string
	stop     chan os.Signal
	cancel   context.CancelFunc
	release  chan struct{}
	result   chan error // of Serve
	response chan error // of the request
}

func startServer(t *testing.T, timeout time.Duration) *running {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &running{
		url: "http://" + listener.Addr().String(), stop: make(chan os.Signal), release: make(chan struct{}),
		result: make(chan error, 1), response: make(chan error, 1),
	}
	entered := make(chan struct{})
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-r.release
	})}
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(t.Context())
	go func() {
		r.result <- Serve(ctx, server, []net.Listener{listener}, Stopping{Timeout: timeout}, slog.New(slog.DiscardHandler), r.stop)
	}()
	go func() {
		w, err := http.Get(r.url)
		if err == nil {
			_, err = io.Copy(io.Discard, w.Body)
			_ = w.Body.Close()
		}
		r.response <- err
	}()
	<-entered
	return r
}

// closed waits until the server accepts no more connections.
func (r *running) closed() {
	for {
		c, err := net.Dial("tcp", r.url[len("http://"):])
		if err != nil {
			return
		}
		_ = c.Close()
	}
}

func TestRequestsInFlightFinishOnShutdown(t *testing.T) {
	for name, stop := range map[string]func(*running){
		"signal":  func(r *running) { r.stop <- syscall.SIGTERM },
		"context": func(r *running) { r.cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			r := startServer(t, time.Minute)
			defer r.cancel()
			stop(r)
			r.closed()
			close(r.release)
			require.NoError(t, <-r.response)
			require.NoError(t, <-r.result)
		})
	}
}

func TestSecondSignalStopsAtOnce(t *testing.T) {
	r := startServer(t, time.Hour)
	defer r.cancel()
	r.stop <- syscall.SIGTERM
	r.stop <- syscall.SIGINT
	require.ErrorContains(t, <-r.result, "stopped before every request had finished")
	require.Error(t, <-r.response)
	close(r.release)
}

func TestShutdownTimeoutEndsRequests(t *testing.T) {
	r := startServer(t, time.Nanosecond)
	defer r.cancel()
	r.stop <- syscall.SIGTERM
	require.ErrorContains(t, <-r.result, "stopped before every request had finished")
	close(r.release)
}

func TestServeReturnsListenerErrors(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	err = Serve(t.Context(), &http.Server{}, []net.Listener{listener}, Stopping{Timeout: time.Second}, slog.New(slog.DiscardHandler), nil)
	require.ErrorContains(t, err, "the server failed")
}

func newListener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}

func TestAllListenersAreServedAndClosed(t *testing.T) {
	listeners := []net.Listener{newListener(t), newListener(t)}
	stop := make(chan os.Signal, 1)
	result := make(chan error, 1)
	server := &http.Server{Handler: http.NotFoundHandler()}
	go func() {
		result <- Serve(t.Context(), server, listeners, Stopping{Timeout: time.Minute}, slog.New(slog.DiscardHandler), stop)
	}()
	for _, l := range listeners {
		w, err := http.Get("http://" + l.Addr().String())
		require.NoError(t, err)
		require.NoError(t, w.Body.Close())
	}
	stop <- syscall.SIGTERM
	require.NoError(t, <-result)
	for _, l := range listeners {
		require.ErrorIs(t, l.Close(), net.ErrClosed)
	}
}

func TestFailedListenerEndsTheOthers(t *testing.T) {
	listeners := []net.Listener{newListener(t), newListener(t)}
	result := make(chan error, 1)
	server := &http.Server{Handler: http.NotFoundHandler()}
	go func() {
		result <- Serve(t.Context(), server, listeners, Stopping{Timeout: time.Minute}, slog.New(slog.DiscardHandler), nil)
	}()
	w, err := http.Get("http://" + listeners[1].Addr().String())
	require.NoError(t, err)
	require.NoError(t, w.Body.Close())
	require.NoError(t, listeners[0].Close())
	require.ErrorContains(t, <-result, "the server failed")
	require.ErrorIs(t, listeners[1].Close(), net.ErrClosed)
}

// other is a server of another protocol, with one request in flight until release is closed.
type other struct {
	release, closed chan struct{}
	err             error
}

func (o *other) Serve() error {
	if o.err == nil {
		<-o.closed
	}
	return o.err
}

func (o *other) Shutdown(ctx context.Context) error {
	select {
	case <-o.release:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (o *other) Close() error {
	close(o.closed)
	return nil
}

func TestOtherServersStopTogetherWithTheHTTPServer(t *testing.T) {
	for name, c := range map[string]struct {
		signals int
		release bool
		err     error
		want    string
	}{
		"request finishes":   {signals: 1, release: true},
		"stopped at once":    {signals: 2, want: "stopped before every request had finished"},
		"other server fails": {err: net.ErrClosed, want: "the server failed"},
	} {
		t.Run(name, func(t *testing.T) {
			o := &other{release: make(chan struct{}), closed: make(chan struct{}), err: c.err}
			stop, result, listener := make(chan os.Signal), make(chan error, 1), newListener(t)
			go func() {
				result <- Serve(t.Context(), &http.Server{Handler: http.NotFoundHandler()}, []net.Listener{listener}, Stopping{Timeout: time.Minute}, slog.New(slog.DiscardHandler), stop, o)
			}()
			for range c.signals {
				stop <- syscall.SIGTERM
			}
			if c.release {
				require.Empty(t, result)
				close(o.release)
			}
			err := <-result
			if c.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.want)
				<-o.closed
			}
		})
	}
}

// New requests are answered during the delay, after it has been announced, and a second signal ends it.
func TestServesDuringTheDelay(t *testing.T) {
	listener, stop, result := newListener(t), make(chan os.Signal), make(chan error, 1)
	announced := make(chan struct{})
	how := Stopping{Announce: func() { close(announced) }, Delay: time.Hour, Timeout: time.Hour}
	go func() {
		result <- Serve(t.Context(), &http.Server{Handler: http.NotFoundHandler()}, []net.Listener{listener}, how, slog.New(slog.DiscardHandler), stop)
	}()
	stop <- syscall.SIGTERM
	<-announced
	for range 3 {
		w, err := http.Get("http://" + listener.Addr().String())
		require.NoError(t, err)
		require.NoError(t, w.Body.Close())
	}
	require.Empty(t, result)
	stop <- syscall.SIGTERM
	<-result // at once; an error if the server has not noticed yet that the last request is over
	require.ErrorIs(t, listener.Close(), net.ErrClosed)
}

func TestDelayEndsByItself(t *testing.T) {
	listener, stop, result := newListener(t), make(chan os.Signal), make(chan error, 1)
	go func() {
		result <- Serve(t.Context(), &http.Server{Handler: http.NotFoundHandler()}, []net.Listener{listener},
			Stopping{Delay: time.Millisecond, Timeout: time.Minute}, slog.New(slog.DiscardHandler), stop)
	}()
	stop <- syscall.SIGTERM
	require.NoError(t, <-result)
}

func TestSystemdThatHangsKeepsNobodyFromStopping(t *testing.T) {
	addr := &net.UnixAddr{Name: t.TempDir() + "/notify", Net: "unixgram"}
	notify, err := net.ListenUnixgram(addr.Net, addr)
	require.NoError(t, err)
	defer func() { require.NoError(t, notify.Close()) }()
	sender, err := net.DialUnix(addr.Net, nil, addr)
	require.NoError(t, err)
	defer func() { require.NoError(t, sender.Close()) }()
	for err == nil { // until it takes no more
		require.NoError(t, sender.SetWriteDeadline(time.Now().Add(10*time.Millisecond)))
		_, err = sender.Write([]byte("X=1"))
	}
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	t.Setenv("NOTIFY_SOCKET", addr.Name)
	stop, result, listener := make(chan os.Signal), make(chan error, 1), newListener(t)
	go func() {
		result <- Serve(t.Context(), &http.Server{Handler: http.NotFoundHandler()}, []net.Listener{listener},
			Stopping{Timeout: time.Minute}, slog.New(slog.DiscardHandler), stop)
	}()
	stop <- syscall.SIGTERM
	require.NoError(t, <-result)
}
