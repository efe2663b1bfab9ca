package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

// The commands that protect the clinic are pasted from the README, with free ports and a folder of their own in place of bin.
func TestPastedCommandsOfTheREADMEProtectTheClinic(t *testing.T) {
	t.Parallel()
	tool(t, "nginx")
	dir := proxyDir(t)
	clinic, err := clinicBinary()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(clinic, filepath.Join(dir, "clinic")))
	require.NoError(t, os.Symlink(binary(t), filepath.Join(dir, "wardkeeper")))
	_, section, _ := strings.Cut(readFile(t, "../../README.md"), "## Protect an existing application\n")
	section, _, _ = strings.Cut(section, "\n## ")
	app, front := fmt.Sprintf("127.0.0.1:%d", servertest.FreePort(t)), fmt.Sprintf("127.0.0.1:%d", servertest.FreePort(t))
	script := replaceIn(t, onlyBlock(t, section, "sh"),
		"make build && go build -o bin/clinic ./testdata/clinic/serve\n", "", "bin/wardkeeper doctor", "# ",
		"bin/clinic >", "bin/clinic --addr "+app+" >", "s|# auth_basic", "s|127.0.0.1:9000|"+app+"|; s|_timeout [0-9]*m*s|_timeout 60s|; s|# auth_basic", "127.0.0.1:8080", front, "$PWD/bin", dir)
	script = regexp.MustCompile(`(?m)(^|[ >])bin/`).ReplaceAllString(script, "${1}"+dir+"/")
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("%s", log)
		}
	})
	printed := runPasted(t, "../..", script)
	assert.Contains(t, printed, "<h1>Jane Doe</h1>")
	assert.Contains(t, printed, `"code":"denied","detail":"This is the user's default location."`)
}
