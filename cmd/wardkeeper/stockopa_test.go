package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// stockOPA builds the unmodified OPA, of the version in go.mod, beside the binary of the tests.
var stockOPA = sync.OnceValues(func() (string, error) {
	path := filepath.Join(filepath.Dir(os.Getenv("TEST_WARDKEEPER")), "opa")
	if out, err := exec.Command("go", "build", "-o", path, "github.com/open-policy-agent/opa").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})
