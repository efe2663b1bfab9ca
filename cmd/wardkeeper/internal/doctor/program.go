package doctor

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// startTimeout limits how long a proxy may take to listen.
const startTimeout = 60 * time.Second

// findProgram finds a program in PATH, or in folders that often only root has in PATH.
func findProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/usr/local/bin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed here: install it, or examine the running deployment with --url", name)
}

// startProgram starts a proxy and waits until it listens.
func startProgram(ctx context.Context, cmd *exec.Cmd, dial func(string) func(context.Context) (net.Conn, error), addrs []string) (stop func(), err error) {
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, addr := range addrs {
		for {
			conn, err := dial(addr)(ctx)
			if err == nil {
				_ = conn.Close()
				break
			}
			select {
			case <-ended:
				return nil, fmt.Errorf("%s ended at once: %s", filepath.Base(cmd.Path), strings.TrimSpace(output.String()))
			case <-ctx.Done():
				stop()
				return nil, fmt.Errorf("%s does not listen: %w", filepath.Base(cmd.Path), err)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	return stop, nil
}
