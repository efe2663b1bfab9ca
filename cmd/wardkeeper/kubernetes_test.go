package main

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// manifestFiles returns the files of the ConfigMaps and Secrets of a manifest, with a folder in place of those of the container, and free ports.
func manifestFiles(t *testing.T, name, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for decoder := yaml.NewDecoder(strings.NewReader(readFile(t, "../../adapters/deploy/kubernetes/"+name))); ; {
		var object struct {
			Kind       string
			Data       map[string]string
			StringData map[string]string `yaml:"stringData"`
		}
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if object.Kind == "ConfigMap" { // many may read it: it has nothing about people
			require.Equal(t, []string{"wardkeeper.yaml"}, slices.Collect(maps.Keys(object.Data)))
		}
		maps.Copy(files, object.Data)
		maps.Copy(files, object.StringData)
	}
	replacer := strings.NewReplacer("/etc/wardkeeper", dir, "/run/", dir+"/", "/var/lib/", dir+"/", "0.0.0.0:8181", "127.0.0.1:0", "0.0.0.0:8282", "127.0.0.1:0")
	files["wardkeeper.yaml"] = replacer.Replace(files["wardkeeper.yaml"])
	return files
}

// mount writes files as Kubernetes mounts a ConfigMap or a Secret: links that lead through the link ..data, which is replaced.
func mount(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o700))
	version, err := os.MkdirTemp(dir, "..")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(filepath.Base(version), filepath.Join(dir, "..data_tmp")))
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(version, name), []byte(content), 0o600))
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); !errors.Is(err, os.ErrExist) {
			require.NoError(t, err)
		}
	}
	require.NoError(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
}

// The service of the manifests takes a new directory, new tokens and a new certificate that Kubernetes puts into its volumes.
func TestVolumesOfTheManifestAreReadAgain(t *testing.T) {
	t.Parallel()
	dir := filepath.Dir(socketPath(t))
	files := manifestFiles(t, "service.yaml", dir)
	a := newAuthority(t)
	secrets := func(token, name string) {
		certificate, key := a.forServer(t, name)
		mount(t, filepath.Join(dir, "secrets/wardkeeper-tls"), map[string]string{"tls.crt": certificate, "tls.key": key})
		mount(t, filepath.Join(dir, "secrets/wardkeeper"), map[string]string{"token": token + "\n"})
	}
	mount(t, filepath.Join(dir, "settings"), map[string]string{"wardkeeper.yaml": files["wardkeeper.yaml"]})
	mount(t, filepath.Join(dir, "files"), map[string]string{"directory.yaml": files["directory.yaml"]})
	secrets(testToken, "first")
	d := startServer(t, "--config", filepath.Join(dir, "settings/wardkeeper.yaml"))
	ask := func(token string) (status int, body, server string) {
		client := a.client(t, nil)
		w, body := postWith(t, client, d.url+evaluationPath, token, viewJane)
		client.CloseIdleConnections()
		return w.StatusCode, body, w.TLS.PeerCertificates[0].Subject.CommonName
	}
	status, body, server := ask(testToken)
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, body, `"decision":false`)
	require.Equal(t, "first", server)

	const next = "another-token-of-the-tests"
	mount(t, filepath.Join(dir, "files"), map[string]string{"directory.yaml": readFile(t, testDirectory)})
	secrets(next, "second")
	waitUntil(t, "the new files are in force", func() bool {
		status, body, server = ask(next)
		return status == http.StatusOK && body == `{"decision":true}` && server == "second"
	})
	status, _, _ = ask(testToken)
	require.Equal(t, http.StatusUnauthorized, status)
	requireStops(t, d)
}

func TestSettingsOfTheSidecarManifestAreGood(t *testing.T) {
	dir := filepath.Dir(socketPath(t))
	files := manifestFiles(t, "sidecar.yaml", dir)
	mount(t, filepath.Join(dir, "settings"), map[string]string{"wardkeeper.yaml": files["wardkeeper.yaml"]})
	mount(t, filepath.Join(dir, "files"), map[string]string{"directory.yaml": files["directory.yaml"]})
	require.NoError(t, os.Mkdir(filepath.Join(dir, "wardkeeper"), 0o700))
	got := run(t, nil, "serve", "--check", "--config", filepath.Join(dir, "settings/wardkeeper.yaml"))
	require.Equal(t, statusOK, got.status, got.err)
}
