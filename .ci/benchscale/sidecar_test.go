package benchscale

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// region is the directory that was filled: a region with an administrator of all.
type region struct {
	users, asked       int
	locations          int
	facility, rareName string
}

func build(t *testing.T) (binary string) {
	binary = filepath.Join(t.TempDir(), "wardkeeper")
	cmd := exec.Command("go", "build", "-o", binary, "./cmd/wardkeeper")
	cmd.Dir = filepath.Join("..", "..")
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	return binary
}

// regionSQL fills the tables: users $1, facilities $2. One in a thousand users has a rare family name.
var regionSQL = []string{
	// The triggers would write each user a second time.
	`ALTER TABLE users DISABLE TRIGGER USER`, `ALTER TABLE assignments DISABLE TRIGGER USER`, `ALTER TABLE locations DISABLE TRIGGER USER`,
	`INSERT INTO locations (id, name, kind, model, version) VALUES ('metro', 'Metro', 'region', 'regional', 1)`,
	`INSERT INTO locations (id, name, kind, parent) SELECT 'd' || i, 'Division ' || i, 'division', 'metro' FROM generate_series(0, 19) i`,
	`INSERT INTO locations (id, name, kind, parent) SELECT 'f' || i, 'Facility ' || i, 'facility', 'd' || i % 20 FROM generate_series(0, $2::int - 1 + 0 * $1::int) i`,
	`BEGIN`,
	`SET CONSTRAINTS ALL DEFERRED`,
	`INSERT INTO users (id, username, given, family, status, default_location, version) SELECT 'u' || i, 'u' || i || '@example.org', 'Given' || i % 977,
		CASE WHEN i % 1000 = 7 THEN 'Quillfeather' ELSE 'Family' || md5(i::text) END, CASE WHEN i % 20 = 3 THEN 'deactivated' ELSE 'active' END, 'f' || i % $2::int, 1
		FROM generate_series(1, $1::int) i`,
	`INSERT INTO assignments (user_id, location, role) SELECT 'u' || i, 'f' || i % $2::int, 'ed_normal' FROM generate_series(1, $1::int) i`,
	`INSERT INTO users (id, default_location, version) VALUES ('admin', 'metro', 1)`,
	`INSERT INTO assignments (user_id, location, role) VALUES ('admin', 'metro', 'regional_admin')`,
	`COMMIT`,
	`VACUUM ANALYZE`,
}

func fill(t *testing.T, binary, database string, n int) region {
	schema, err := exec.Command(binary, "directory", "schema").Output()
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	install := func() {
		_, err := conn.PgConn().Exec(t.Context(), string(schema)).ReadAll()
		require.NoError(t, err)
	}
	install()
	facilities := max(n/10, 20)
	for _, sql := range regionSQL {
		sql = strings.NewReplacer("$1::int", strconv.Itoa(n), "$2::int", strconv.Itoa(facilities)).Replace(sql)
		_, err := conn.Exec(t.Context(), sql)
		require.NoError(t, err, sql)
	}
	install() // with triggers
	return region{users: n, asked: min(*asked, n), locations: facilities + 21, facility: "f1", rareName: "quillfeather"}
}

// sidecar is a running server.
type sidecar struct {
	cmd *exec.Cmd
	url string
}

var urlInLog = regexp.MustCompile(`"url":"([^"]+)"`)

// serve starts a server with settings, and returns once it serves.
func serve(t *testing.T, binary string, settings ...string) *sidecar {
	cmd := exec.Command(binary, append([]string{"serve", "--addr", "127.0.0.1:0", "--log-format", "json", "--log-level", "info"}, settings...)...)
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	lines, log := bufio.NewScanner(stderr), &strings.Builder{}
	for lines.Scan() {
		fmt.Fprintln(log, lines.Text())
		if found := urlInLog.FindStringSubmatch(lines.Text()); found != nil {
			go func() { // so that the server can write on
				for lines.Scan() {
				}
			}()
			return &sidecar{cmd, found[1]}
		}
	}
	t.Fatalf("the server does not start:\n%s", log)
	return nil
}

// post sends a request and returns the answer. It may be called at the same time.
func (s *sidecar) post(path string, body any) (answer map[string]any, err error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	w, err := client.Post(s.url+path, "application/json", bytes.NewReader(encoded))
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Body.Close() }()
	if err := json.NewDecoder(w.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if w.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s %v", path, w.Status, answer)
	}
	return answer, nil
}

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// decide asks whether the administrator may edit a user, who must be allowed.
func (s *sidecar) decide(user int) error {
	answer, err := s.post("/access/v1/evaluation", map[string]any{
		"subject": map[string]any{"type": "user", "id": "admin"}, "action": map[string]any{"name": "user.view"},
		"resource": map[string]any{"type": "user", "id": "u" + strconv.Itoa(user)}, "context": map[string]any{"current_location": "metro"},
	})
	if err == nil && answer["decision"] != true {
		err = fmt.Errorf("the administrator may not view u%d: %v", user, answer)
	}
	return err
}

// ask asks about users one after another, spread over all, and returns how long each answer took.
func (s *sidecar) ask(t *testing.T, w region, shift int) (took []time.Duration) {
	require.NoError(t, s.decide(1)) // the administrator and the region
	for i := range w.asked {
		began := time.Now()
		require.NoError(t, s.decide(1+(i*(w.users/w.asked)+shift)%w.users))
		took = append(took, time.Since(began))
	}
	return took
}

// saturate asks over several connections at a time, and returns the decisions per second.
func (s *sidecar) saturate(t *testing.T, w region, connections int, duration time.Duration) float64 {
	var all sync.WaitGroup
	var answered atomic.Int64
	began := time.Now()
	for range connections {
		all.Go(func() {
			for i := 0; time.Since(began) < duration; i++ {
				if err := s.decide(1 + (i%w.asked)*(w.users/w.asked)%w.users); err != nil {
					t.Error(err)
					return
				}
				answered.Add(1)
			}
		})
	}
	all.Wait()
	return float64(answered.Load()) / time.Since(began).Seconds()
}

// change renames a location again and again, and returns how long each decision took that came next.
func (s *sidecar) change(t *testing.T, database string) (took []time.Duration) {
	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	for i := range 20 {
		_, err := conn.Exec(t.Context(), `UPDATE locations SET name = $1 WHERE id = 'f1'`, fmt.Sprint("Facility, version ", i))
		require.NoError(t, err)
		time.Sleep(50 * time.Millisecond) // the server hears of it
		began := time.Now()
		require.NoError(t, s.decide(1))
		took = append(took, time.Since(began))
	}
	return took
}

var cachedInMetrics = regexp.MustCompile(`(?m)^wardkeeper_membership_memory_bytes (\S+)$`)

// cached returns the bytes of the facts that the server keeps.
func (s *sidecar) cached(t *testing.T) float64 {
	w, err := client.Get(s.url + "/metrics")
	require.NoError(t, err)
	defer func() { _ = w.Body.Close() }()
	body, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	found := cachedInMetrics.FindSubmatch(body)
	require.NotNil(t, found)
	bytes, err := strconv.ParseFloat(string(found[1]), 64)
	require.NoError(t, err)
	return bytes
}

// load returns how long a server takes to start with a file of n users.
func load(t *testing.T, binary string, n int) time.Duration {
	file := filepath.Join(t.TempDir(), "directory.json")
	output, err := exec.Command(binary, "directory", "generate", "--users", strconv.Itoa(n), "-o", file).CombinedOutput()
	require.NoError(t, err, "%s", output)
	began := time.Now()
	serve(t, binary, "--directory", file)
	return time.Since(began)
}

// list is a list of users to whom the administrator may do an action, by default view them.
type list struct {
	action, location, query, token string
	limit                          int
}

func (s *sidecar) page(t *testing.T, l list) (hits int, next string, took time.Duration) {
	resource, page := map[string]any{"type": "user"}, map[string]any{"limit": max(l.limit, 1)}
	if l.limit == 0 {
		page["limit"] = 100
	}
	if l.location != "" {
		resource["properties"] = map[string]any{"location": l.location}
	}
	if l.query != "" {
		page["properties"] = map[string]any{"query": l.query}
	}
	if l.token != "" {
		page["token"] = l.token
	}
	began := time.Now()
	answer, err := s.post("/access/v1/search/resource", map[string]any{
		"subject": map[string]any{"type": "user", "id": "admin"}, "action": map[string]any{"name": cmp.Or(l.action, "user.view")},
		"resource": resource, "context": map[string]any{"current_location": "metro"}, "page": page,
	})
	took = time.Since(began)
	require.NoError(t, err)
	results, _ := answer["results"].([]any)
	info, _ := answer["page"].(map[string]any)
	next, _ = info["next_token"].(string)
	return len(results), next, took
}

func (s *sidecar) lists(t *testing.T, _ region, l list) (took []time.Duration) {
	for range max(*asked/2, 20) {
		_, _, one := s.page(t, l)
		took = append(took, one)
	}
	return took
}

// walk reads the whole list by pages of 1,000, checks that it has everybody, and returns how long each page took.
func (s *sidecar) walk(t *testing.T, w region) (took []time.Duration) {
	listed, token := 0, ""
	for {
		hits, next, one := s.page(t, list{limit: 1000, token: token})
		took, listed = append(took, one), listed+hits
		if token = next; token == "" {
			require.Equal(t, w.users+1, listed)
			return took
		}
	}
}

// resident returns the largest resident set that the server has had, in MB.
func (s *sidecar) resident(t *testing.T) float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	require.NoError(t, err)
	for line := range strings.Lines(string(data)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, err := strconv.Atoi(strings.Fields(text)[0])
			require.NoError(t, err)
			return float64(kilobytes*1024) / 1e6
		}
	}
	t.Fatal("the system does not say how much memory a process has had")
	return 0
}
