package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/testdata/clinic/script"
)

func TestClinicBehindHAProxy(t *testing.T) {
	t.Parallel()
	b := newBehindProxy(t)
	b.letEverybodyConnect(t)
	b.target.URL = "http://" + startHAProxy(t, "unix:"+b.socket, b.clinic, patientHAProxy).addr
	script.Run(t, b.target)
}

func TestClinicBehindApache(t *testing.T) {
	t.Parallel()
	b := newBehindProxy(t)
	b.letEverybodyConnect(t)
	b.target.URL = "http://" + startApache(t, "unix:"+b.socket, b.clinic, patientApache).addr
	// Apache itself refuses a NUL, before it asks the sidecar.
	b.target.File = writeFile(t, "script.yaml", replaceIn(t, readFile(t, b.target.File),
		"'GET /users/jane%00', status: 400", "'GET /users/jane%00', status: 404"))
	script.Run(t, b.target)
}

// letEverybodyConnect lets a proxy that runs as another user connect to the sidecar.
func (b *behindProxy) letEverybodyConnect(t *testing.T) {
	t.Helper()
	require.NoError(t, os.Chmod(filepath.Dir(b.socket), 0o755))
	require.NoError(t, os.Chmod(b.socket, 0o666))
}
