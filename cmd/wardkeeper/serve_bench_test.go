package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/limits"
	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/logging"
	"github.com/wardkeeper/wardkeeper/pdp/httpapi"
)

// servedQuestions are an allow and a denial of each model in testdata/directories/bench.yaml.
var servedQuestions = []string{
	`{"subject":{"type":"user","id":"regina"},"action":{"name":"user.edit"},"resource":{"type":"user","id":"ed"},"context":{"current_location":"metro"}}`,
	`{"subject":{"type":"user","id":"regina"},"action":{"name":"assignment.remove"},"resource":{"type":"user","id":"ed","properties":{"location":"ghi"}},"context":{"current_location":"north"}}`,
	`{"subject":{"type":"user","id":"hanna"},"action":{"name":"user.edit"},"resource":{"type":"user","id":"hugo"},"context":{"current_location":"mercy"}}`,
	`{"subject":{"type":"user","id":"hanna"},"action":{"name":"user.invite"},"resource":{"type":"user","id":"hugo"},"context":{"current_location":"mercy"}}`,
	`{"subject":{"type":"user","id":"olga"},"action":{"name":"user.edit"},"resource":{"type":"user","id":"pia"},"context":{"current_location":"smile"}}`,
	`{"subject":{"type":"user","id":"pia"},"action":{"name":"user.edit"},"resource":{"type":"user","id":"olga"},"context":{"current_location":"smile"}}`,
	`{"subject":{"type":"user","id":"vera"},"action":{"name":"entity.create"},"resource":{"type":"location","id":"new-entity"},"context":{"current_location":"acme"}}`,
	`{"subject":{"type":"user","id":"hanna"},"action":{"name":"entity.create"},"resource":{"type":"location","id":"new-entity"},"context":{"current_location":"mercy"}}`,
}

// BenchmarkServe measures a question over a persistent TCP connection, answered by the built-in policy with the access log on.
func BenchmarkServe(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(limits.GCPercent))
	file, err := os.Create(filepath.Join(b.TempDir(), "log"))
	require.NoError(b, err)
	defer func() { require.NoError(b, file.Close()) }()
	logger, logs := logging.NewAsync(file, logging.Config{JSON: true})
	defer logs.Close(time.Minute)
	side, err := openSidecar(b.Context(), sidecarConfig{decision: config.DefaultDecision, timeout: time.Minute,
		directory: filepath.Join("..", "..", "testdata", "directories", "bench.yaml")}, logger)
	require.NoError(b, err)
	defer side.close()
	api, err := side.newServer(httpapi.Config{BaseURL: "https://pdp.example.org", Logger: logger, Timeout: time.Minute})
	require.NoError(b, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	server := api.HTTPServer()
	go func() { _ = server.Serve(api.Listeners(100, listener)[0]) }()
	defer func() { _ = server.Close() }()

	b.ReportAllocs()
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			b.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		in := bufio.NewReader(conn)
		for i := 0; pb.Next(); i++ {
			if err := askServed(conn, in, i); err != nil {
				b.Error(err)
				return
			}
		}
	})
	require.Zero(b, logs.Dropped())
}

// askServed asks one of the questions over a connection, and reads the answer.
func askServed(conn net.Conn, in *bufio.Reader, i int) error {
	question := servedQuestions[i%len(servedQuestions)]
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", evaluationPath, len(question), question)
	w, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	if w.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", w.StatusCode)
	}
	_, err = io.Copy(io.Discard, w.Body)
	return err
}
