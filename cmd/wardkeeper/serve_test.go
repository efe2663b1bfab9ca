package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/ask"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/client"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

const evaluationPath = "/access/v1/evaluation"

const (
	testDirectory = "testdata/directory.yaml"
	testPolicies  = "testdata/policies"
	viewJane      = `{"subject":{"type":"user","id":"alice"},"action":{"name":"user.view"},"resource":{"type":"user","id":"jane"}}`
)

func post(t *testing.T, url, token, body string) (*http.Response, string) {
	t.Helper()
	return postWith(t, http.DefaultClient, url+evaluationPath, token, body)
}

func postWith(t *testing.T, client *http.Client, url, token, body string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w, err := client.Do(r)
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Body.Close()) }()
	text, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	return w, strings.TrimSpace(string(text))
}

func TestServeAnswersLogsAndStops(t *testing.T) {
	t.Parallel()
	d := startServer(t, "--directory", testDirectory)
	require.EqualValues(t, 4, d.start["locations"])
	require.EqualValues(t, 2, d.start["users"])
	require.Equal(t, "built-in", d.start["policies"])
	require.Equal(t, fmt.Sprintf("wardkeeper serves %s, policy %.12s (built-in), directory %s: 4 locations, 2 users",
		d.url, d.start["revision"], testDirectory), d.start["msg"])
	w, body := post(t, d.url, "", viewJane)
	require.Equal(t, http.StatusOK, w.StatusCode)
	require.Equal(t, `{"decision":true}`, body)

	w, err := http.Get(d.url + "/.well-known/authzen-configuration")
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Body.Close()) }()
	metadata, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	require.Contains(t, string(metadata), `"`+d.url+evaluationPath+`"`)

	d.signal(t, syscall.SIGTERM)
	status, logs := d.end()
	require.Equal(t, statusOK, status, logs)
	require.Contains(t, logs, "wardkeeper has stopped")
	for _, private := range []string{"alice@", "jane@", "Adams", "Jones"} {
		require.NotContains(t, logs, private)
	}
}

// sendHalf sends the header of a question and waits until the server reads the body, so that the request is in flight.
// The returned function sends the rest and returns the answer.
func sendHalf(t *testing.T, d *daemon) (finish func() string) {
	t.Helper()
	return sendHalfAt(t, "tcp", d.addr())
}

func sendHalfAt(t *testing.T, network, address string) (finish func() string) {
	t.Helper()
	c, err := net.Dial(network, address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	_, err = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: pdp\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n", evaluationPath, len(viewJane))
	require.NoError(t, err)
	in := bufio.NewReader(c)
	line, err := textproto.NewReader(in).ReadLine()
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100 Continue", line)
	_, err = textproto.NewReader(in).ReadLine()
	require.NoError(t, err)
	return func() string {
		_, err := io.WriteString(c, viewJane)
		require.NoError(t, err)
		w, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		body, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		require.NoError(t, w.Body.Close())
		return strings.TrimSpace(string(body))
	}
}

func TestServeFinishesRequestsInFlight(t *testing.T) {
	t.Parallel()
	d := startServer(t, "--directory", testDirectory, "--read-timeout", "1h", "--shutdown-timeout", "1h")
	finish := sendHalf(t, d)
	d.signal(t, syscall.SIGINT)
	d.waitClosed(t)
	require.Equal(t, `{"decision":true}`, finish())
	status, logs := d.end()
	require.Equal(t, statusOK, status, logs)
}

func TestServeStopsAtOnceOnASecondSignal(t *testing.T) {
	t.Parallel()
	d := startServer(t, "--directory", testDirectory, "--read-timeout", "1h", "--shutdown-timeout", "1h")
	sendHalf(t, d)
	d.signal(t, syscall.SIGTERM)
	d.waitClosed(t)
	d.signal(t, syscall.SIGTERM)
	status, logs := d.end()
	require.Equal(t, statusNo, status)
	require.Contains(t, logs, "stopped before every request had finished")
}

func TestServeRequiresTheToken(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "token", testToken+"\n")
	require.NoError(t, os.Chmod(file, 0o644))
	d := startServer(t, "--directory", testDirectory, "--token-file", file)
	for _, wrong := range []string{"", "another-token-of-16", testToken + "x"} {
		w, _ := post(t, d.url, wrong, viewJane)
		require.Equal(t, http.StatusUnauthorized, w.StatusCode, wrong)
		require.NotEmpty(t, w.Header.Get("WWW-Authenticate"))
	}
	w, body := post(t, d.url, testToken, viewJane)
	require.Equal(t, http.StatusOK, w.StatusCode, body)

	ask := []string{"ask", "alice", "user.view", "jane", "--server", d.url}
	got := run(t, nil, ask...)
	require.Equal(t, statusFailed, got.status, got)
	require.Contains(t, got.err, "the server answered 401 Unauthorized: ")
	got = run(t, nil, append(ask, "--token-file", file)...)
	require.Equal(t, result{out: "ALLOWED  alice may user.view on jane\n"}, got)
	got = run(t, []string{"WARDKEEPER_TOKEN_FILE=" + file, "WARDKEEPER_SERVER=" + d.url}, ask[:4]...)
	require.Equal(t, statusOK, got.status, got)

	d.signal(t, syscall.SIGTERM)
	status, logs := d.end()
	require.Equal(t, statusOK, status, logs)
	require.Contains(t, logs, "can read the token file")
	require.NotContains(t, logs, testToken)
}

func TestServeReportsFaultsAtTheStart(t *testing.T) {
	t.Parallel()
	token := writeFile(t, "token", testToken)
	config := writeFile(t, "c.yaml", "adrr: x\n")
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, busy.Close()) }()
	for _, c := range []struct {
		args   []string
		status int
		want   []string
	}{
		{[]string{"--addr", "0.0.0.0:0", "--directory", testDirectory}, statusFailed, []string{"which other machines can reach: set --token-file"}},
		{[]string{"--directory", testDirectory, "--addr", busy.Addr().String()}, statusNo, []string{"cannot listen (choose another --addr): ", "address already in use"}},
		{[]string{}, statusFailed, []string{"--directory is missing"}},
		{[]string{"--directory", "testdata/none.yaml"}, statusFailed, []string{"testdata/none.yaml"}},
		{[]string{"--directory", "testdata/faulty.yaml"}, statusFailed, []string{`location "north": parent is unknown`, `"jane"`}},
		{[]string{"--bundle", "testdata/none"}, statusFailed, []string{`the bundle is "testdata/none": name a directory`}},
		{[]string{"--bundle", testPolicies, "--decision", "data.app.decision"}, statusFailed, []string{"write the path below data, with slashes (app/decision)"}},
		{[]string{"--bundle", testPolicies, "--decision", "app/other"}, statusFailed, []string{"there is no rule data.app.other"}},
		{ // reports every fault at once: of settings, token and directory
			[]string{"--config", config, "--read-timeout", "x", "--directory", "testdata/faulty.yaml", "--token-file", "testdata/none"},
			statusFailed, []string{"did you mean addr?", "--read-timeout is", "the token file cannot be read", `location "north": parent is unknown`},
		},
		{[]string{"--directroy", "x"}, statusFailed, []string{"there is no flag --directroy: did you mean --directory?"}},
		{[]string{"extra"}, statusFailed, []string{`"extra" is one argument too many`}},
	} {
		for _, check := range []bool{false, true} {
			args := append([]string{"serve"}, c.args...)
			if check && c.want[0] == "cannot listen (choose another --addr): " {
				continue // --check opens no port
			}
			if check {
				args = append(args, "--check")
			}
			got := run(t, nil, args...)
			require.Equal(t, c.status, got.status, "%v: %v", args, got)
			for _, want := range c.want {
				require.Contains(t, got.err, want)
			}
			require.Empty(t, got.out)
			for _, private := range []string{"jane@example.org", "Jones", testToken} {
				require.NotContains(t, got.err, private)
			}
		}
	}
	for _, args := range [][]string{
		{"--addr", "0.0.0.0:0", "--token-file", token}, {"--addr", "0.0.0.0:0", "--insecure"}, {"--addr", busy.Addr().String()},
	} {
		got := run(t, nil, append([]string{"serve", "--check", "--directory", testDirectory}, args...)...)
		require.Equal(t, statusOK, got.status, got)
		require.Contains(t, got.out, "4 locations, 2 users")
	}
}

func TestServeAnotherPolicy(t *testing.T) {
	t.Parallel()
	d := startServer(t, "--bundle", testPolicies, "--decision", "app/decision")
	require.NotContains(t, d.start, "users")
	require.Contains(t, d.start["msg"], "no directory")
	ask := []string{"ask", "bob", "can_read", "123", "--type", "account", "--server", d.url}
	require.Equal(t, result{
		out: "DENIED  bob may not can_read on account 123\n  because  Only readers may.\n", status: statusNo,
	}, run(t, nil, ask...))
	require.Equal(t, result{out: `{"decision":true}` + "\n"}, run(t, nil, append(ask, "--subject-set", "reader=true", "--json")...))
	d.signal(t, syscall.SIGTERM)
	status, logs := d.end()
	require.Equal(t, statusOK, status, logs)
}

// The server runs in the test's process, under the race detector.
func TestServeInProcess(t *testing.T) {
	reader, writer := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := process{stdout: io.Discard, stderr: writer, signals: func() <-chan os.Signal { return nil }}
	status := make(chan int, 1)
	go func() {
		status <- p.run(ctx, []string{"serve", "--addr", "127.0.0.1:0", "--log-format", "json", "--directory", testDirectory})
		_ = writer.Close()
	}()
	url, logs := "", make(chan struct{})
	in := bufio.NewScanner(reader)
	for url == "" && in.Scan() {
		var entry struct{ URL string }
		require.NoError(t, json.Unmarshal(in.Bytes(), &entry), in.Text())
		url = entry.URL
	}
	go func() {
		defer close(logs)
		_, _ = io.Copy(io.Discard, reader)
	}()
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for range 10 {
				d, err := ask.Ask(ctx, client.Client{BaseURL: url}, &ask.Question{Evaluation: authzen.Evaluation{
					Subject: authzen.Entity{Type: "user", ID: "alice"}, Action: authzen.Action{Name: "user.view"}, Resource: authzen.Entity{Type: "user", ID: "jane"},
				}})
				assert.NoError(t, err)
				assert.True(t, err == nil && d.Allow)
			}
		})
	}
	asking.Wait()
	cancel()
	require.Equal(t, statusOK, <-status)
	<-logs
}
