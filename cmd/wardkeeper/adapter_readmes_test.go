package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// The programs on the pages of the Go adapters are built in a module of their own, unchanged except for the addresses, and run
// with a sidecar.
func TestPastedProgramsOfTheGoAdaptersWork(t *testing.T) {
	skipIfShort(t)
	t.Parallel()
	sidecar := startServer(t, "--directory", "../../testdata/directories/sample.yaml").url
	issuer := newTokenIssuer(t)
	dir := t.TempDir()
	addrs := pastePrograms(t, dir, sidecar, issuer.url, "nethttp", "echo", "grpc", "client")
	for _, adapter := range []string{"nethttp", "echo"} {
		t.Run(adapter, func(t *testing.T) {
			t.Parallel()
			startPasted(t, dir, adapter, addrs[adapter])
			get := func(path, token string) (status int, body string) {
				r, err := http.NewRequest(http.MethodGet, "http://"+addrs[adapter]+path, nil)
				require.NoError(t, err)
				if token != "" {
					r.Header.Set("Authorization", "Bearer "+token)
				}
				resp, err := http.DefaultClient.Do(r)
				require.NoError(t, err)
				defer func() { _ = resp.Body.Close() }()
				data, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				return resp.StatusCode, string(data)
			}
			code, body := askUntilAnswered(t, func() (int, string) { return get("/users/jane", issuer.token(t, "alice")) })
			assert.Equal(t, http.StatusOK, code, body)
			assert.Equal(t, "alice sees jane\n", body)
			code, body = askUntilAnswered(t, func() (int, string) { return get("/users/jane", issuer.token(t, "mallory")) })
			assert.Equal(t, http.StatusForbidden, code, body)
			code, body = get("/users/jane", "")
			assert.Equal(t, http.StatusUnauthorized, code, body)
			code, body = get("/elsewhere", issuer.token(t, "alice"))
			assert.Equal(t, http.StatusForbidden, code, body)
		})
	}
	t.Run("grpc", func(t *testing.T) {
		t.Parallel()
		startPasted(t, dir, "grpc", addrs["grpc"])
		conn, err := grpc.NewClient(addrs["grpc"], grpc.WithTransportCredentials(insecure.NewCredentials()))
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		check := func(token string) (int, string) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := healthpb.NewHealthClient(conn).Check(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token), &healthpb.HealthCheckRequest{Service: "jane"})
			if status.Code(err) == codes.Unavailable {
				return http.StatusServiceUnavailable, err.Error()
			}
			return int(status.Code(err)), fmt.Sprint(err)
		}
		code, message := askUntilAnswered(t, func() (int, string) { return check(issuer.token(t, "alice")) })
		assert.Equal(t, int(codes.NotFound), code, "the handler has no such service: %s", message)
		code, message = askUntilAnswered(t, func() (int, string) { return check(issuer.token(t, "mallory")) })
		assert.Equal(t, int(codes.PermissionDenied), code, message)
		code, message = check("forged")
		assert.Equal(t, int(codes.Unauthenticated), code, message)
	})
	t.Run("client", func(t *testing.T) {
		t.Parallel()
		var output string
		_, _ = askUntilAnswered(t, func() (int, string) {
			out, err := pastedProgram(dir, "client").CombinedOutput()
			output = string(out)
			if err != nil || strings.Contains(output, "unavailable") { // the program waits for 1 s at most
				return http.StatusServiceUnavailable, output
			}
			return http.StatusOK, ""
		})
		assert.Equal(t, onlyBlock(t, adapterPage(t, "client"), "text"), output)
	})
}

// askUntilAnswered asks again while the answer is 503: the programs wait only 1 s for the sidecar, which a busy machine can
// exceed.
func askUntilAnswered(t *testing.T, ask func() (int, string)) (status int, body string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		status, body = ask()
		if status != http.StatusServiceUnavailable || time.Now().After(deadline) {
			return status, body
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func adapterPage(t *testing.T, adapter string) string {
	t.Helper()
	text, err := os.ReadFile("../../adapters/" + adapter + "/README.md")
	require.NoError(t, err)
	return string(text)
}

// onlyBlock returns the only block in a language on a page.
func onlyBlock(t *testing.T, page, language string) string {
	t.Helper()
	parts := strings.Split(page, "```"+language+"\n")
	require.Len(t, parts, 2, "one %s block", language)
	text, _, ok := strings.Cut(parts[1], "```")
	require.True(t, ok)
	return text
}

// pastePrograms creates a module with the programs of the pages, which uses this module in place of a released version, and
// builds them without network. It returns the address of each program.
func pastePrograms(t *testing.T, dir, sidecar, keys string, adapters ...string) (addrs map[string]string) {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o600))
	// All requirements are listed, as "go mod tidy" lists them: the go command then reads no module's go.mod that this module's
	// build has not read.
	mod := replaceIn(t, readFile(t, filepath.Join(root, "go.mod")), "module github.com/wardkeeper/wardkeeper\n", "module example.org/application\n")
	mod = regexp.MustCompile(`(?ms)^tool (\(.*?^\)|[^(\n]*)\n`).ReplaceAllString(mod, "")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod+"\nrequire github.com/wardkeeper/wardkeeper v0.0.0\n\n"+
		"replace github.com/wardkeeper/wardkeeper => "+root+"\n"), 0o600))
	build := exec.Command("go", "build", "-o", "bin/")
	addrs = map[string]string{}
	for _, adapter := range adapters {
		page := adapterPage(t, adapter)
		addrs[adapter] = fmt.Sprintf("127.0.0.1:%d", servertest.FreePort(t))
		replace := strings.NewReplacer("http://127.0.0.1:8181", sidecar, "127.0.0.1:8080", addrs[adapter], "https://idp.example.org/jwks.json", keys+"/jwks.json")
		folder := filepath.Join(dir, adapter)
		require.NoError(t, os.Mkdir(folder, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(folder, "main.go"), []byte(replace.Replace(onlyBlock(t, page, "go"))), 0o600))
		if strings.Contains(page, "```yaml") {
			require.NoError(t, os.WriteFile(filepath.Join(folder, "routes.yaml"), []byte(replace.Replace(onlyBlock(t, page, "yaml"))), 0o600))
		}
		build.Args = append(build.Args, "./"+adapter)
	}
	build.Dir = dir
	build.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	return addrs
}

// pastedProgram is the command that runs the program of a page.
func pastedProgram(dir, adapter string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(dir, "bin", adapter))
	cmd.Dir = filepath.Join(dir, adapter)
	return cmd
}

// startPasted runs the program of a page until the test ends, and waits until it listens.
func startPasted(t *testing.T, dir, adapter, addr string) {
	t.Helper()
	cmd := pastedProgram(dir, adapter)
	var log fixture.LogBuffer
	cmd.Stdout, cmd.Stderr = &log, &log
	require.NoError(t, cmd.Start())
	exited := make(chan struct{})
	go func() { defer close(exited); _ = cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
		if t.Failed() {
			t.Log(log.String())
		}
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	}, time.Minute, 20*time.Millisecond, "it does not listen: %s", &log)
}

// tokenIssuer signs tokens, and serves its keys.
type tokenIssuer struct {
	key *ecdsa.PrivateKey
	url string // of the server with the keys
}

func newTokenIssuer(t *testing.T) tokenIssuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	public, err := jwk.Import(key.Public())
	require.NoError(t, err)
	set, err := json.Marshal(map[string]any{"keys": []any{public}})
	require.NoError(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.Copy(w, bytes.NewReader(set))
	}))
	t.Cleanup(server.Close)
	return tokenIssuer{key, server.URL}
}

func (p tokenIssuer) token(t *testing.T, subject string) string {
	t.Helper()
	payload, err := json.Marshal(map[string]any{"iss": "https://idp.example.org", "aud": "user-admin", "sub": subject, "location": "metro", "exp": time.Now().Add(time.Hour).Unix()})
	require.NoError(t, err)
	token, err := jws.Sign(payload, jws.WithKey(jwa.ES256(), p.key))
	require.NoError(t, err)
	return string(token)
}
