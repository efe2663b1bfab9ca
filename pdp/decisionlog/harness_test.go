package decisionlog

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/decisionpart"
)

var testKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

func testSigner() ed25519.PrivateKey { return testKey }

func testKeys() []ed25519.PublicKey { return []ed25519.PublicKey{testKey.Public().(ed25519.PublicKey)} }

// lines is a logger's output.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// open opens a log, which the end of the test closes.
func open(t testing.TB, cfg Config) *Log {
	t.Helper()
	if cfg.Signer == nil {
		cfg.Signer = testSigner
	}
	l, err := Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = l.Close(ctx)
		<-l.done
	})
	return l
}

func closeLog(t testing.TB, l *Log) {
	t.Helper()
	require.NoError(t, l.Close(context.Background()))
}

func add(t testing.TB, l *Log, records ...string) {
	t.Helper()
	for _, r := range records {
		require.NoError(t, appendTo(context.Background(), l, []byte(r)))
	}
}

// numbered returns the records {"n":from} to {"n":to}.
func numbered(from, to int) (records []string) {
	for n := from; n <= to; n++ {
		records = append(records, fmt.Sprintf(`{"n":%d,"pad":"%x"}`, n, sha256.Sum256([]byte{byte(n)})))
	}
	return records
}

// readAll returns the records in a folder.
func readAll(t testing.TB, dir string) (records []string) {
	t.Helper()
	next := uint64(0)
	for e, err := range Read(dir) {
		require.NoError(t, err)
		if next > 0 {
			require.Equal(t, next, e.Seq)
		}
		next = e.Seq + 1
		records = append(records, string(e.Record))
	}
	return records
}

func verified(t testing.TB, dir string, known ...Checkpoint) Report {
	t.Helper()
	r, err := Verify(dir, testKeys(), known...)
	require.NoError(t, err)
	return r
}

// appendTo appends a record that may be anything.
func appendTo(ctx context.Context, l *Log, text []byte, parts ...decisionpart.Placed) error {
	record, err := decisionpart.NewRecord(text, parts...)
	if err != nil {
		return err
	}
	return l.Append(ctx, record)
}
