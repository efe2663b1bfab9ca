package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/membership/servertest"
)

const changesToken = "a-token-for-changes"

// revocationTest runs three sidecars over one database and one Redis. It deactivates and reactivates administrators
// continuously, while clients ask every sidecar what they may do.
type revocationTest struct {
	t        testing.TB
	database *servertest.Postgres
	sidecars []*daemon
	// announces means that the writer announces its changes, and that the sidecars do not listen to the database.
	announces bool
	// muted suppresses the announcements, so that revocations are missed.
	muted bool

	client *http.Client
	log    revocationLog
}

// adminCount is the number of regional administrators at metro, a0, a1 and so on.
const adminCount = 6

// newRevocationTest fills a database, and starts three sidecars whose facts are confirmed.
func newRevocationTest(t testing.TB, redis string, announces bool) *revocationTest {
	t.Helper()
	f := &revocationTest{t: t, database: servertest.StartPostgres(t), announces: announces, client: &http.Client{Timeout: servertest.Timeout},
		log: revocationLog{maxAge: 5 * time.Second}}
	document := strings.Builder{}
	document.WriteString(`{"locations":[{"id":"metro","kind":"region","model":"regional"},{"id":"north","kind":"division","parent":"metro"},` +
		`{"id":"ghi","kind":"facility","parent":"north"}],"users":[{"id":"jane","default_location":"ghi","assignments":[{"location":"ghi","role":"ed_normal"}]}`)
	for i := range adminCount {
		fmt.Fprintf(&document, `,{"id":"a%d","default_location":"metro","assignments":[{"location":"metro","role":"regional_admin"}]}`, i)
	}
	document.WriteString("]}")
	imported := run(t, nil, "directory", "import", writeFile(t, "directory.json", document.String()), "--to", f.database.URL())
	require.Zero(t, imported.status, imported.err)
	settings := "{}"
	if announces {
		settings = `{membership: {announced: all, postgres: {listen: ""}}}`
	}
	for range 3 {
		f.sidecars = append(f.sidecars, startServer(t, "--config", writeFile(t, "sidecar.yaml", settings),
			"--directory", f.database.URL(), "--redis", redis, "--changes-token-file", writeFile(t, "changes", changesToken)))
	}
	f.waitConfirmed()
	return f
}

// waitConfirmed waits until every sidecar's facts are confirmed.
func (f *revocationTest) waitConfirmed() {
	f.t.Helper()
	for _, d := range f.sidecars {
		waitUntil(f.t, "facts are confirmed", func() bool { return d.metric(f.t, "wardkeeper_membership_vouched") == 1 })
	}
}

// runDuring changes administrators and asks about them while disrupt does something to the servers.
func (f *revocationTest) runDuring(disrupt func()) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	clients.Go(func() { f.writeChanges(ctx) })
	for i := range f.sidecars {
		for caller := range 3 {
			clients.Go(func() {
				r := rand.New(rand.NewPCG(uint64(i), uint64(caller)))
				for ctx.Err() == nil {
					f.ask(i, fmt.Sprintf("a%d", r.IntN(adminCount)), "")
					time.Sleep(8 * time.Millisecond)
				}
			})
		}
	}
	time.Sleep(2 * time.Second)
	disrupt()
	time.Sleep(2 * time.Second)
	waitUntil(f.t, "there are enough answers", func() bool {
		allowed, denied, _ := f.log.counts()
		// If changes are not announced, the sidecars continue to allow.
		return allowed > 500 && (denied > 500 || f.muted)
	})
	cancel()
	clients.Wait()
}

// writeChanges deactivates and reactivates administrators until ctx ends.
func (f *revocationTest) writeChanges(ctx context.Context) {
	connection, err := pgx.Connect(context.Background(), f.database.URL())
	require.NoError(f.t, err)
	defer func() { _ = connection.Close(context.Background()) }()
	active := [adminCount]bool{}
	for n := 0; ctx.Err() == nil; n++ {
		i := n % adminCount
		id, status := fmt.Sprintf("a%d", i), "active"
		if active[i] = !active[i]; !active[i] {
			status = "deactivated"
		}
		w := adminChange{id: id, active: active[i]}
		err := connection.QueryRow(context.Background(), "UPDATE users SET status = $1 WHERE id = $2 RETURNING version", status, id).Scan(&w.version)
		require.NoError(f.t, err)
		w.committed = time.Now()
		f.log.addWrite(w)
		if f.announces && !f.muted {
			token := f.announce(n, w)
			f.log.setAnnounced(w, time.Now())
			f.ask((n+1)%len(f.sidecars), id, token)
		}
		time.Sleep(120 * time.Millisecond)
	}
}

// announce announces a change to the sidecars in turn until one accepts it, and returns the token.
func (f *revocationTest) announce(n int, w adminChange) (token string) {
	body := fmt.Sprintf(`{"users":[{"id":%q,"version":%d}]}`, w.id, w.version)
	if n%2 == 0 {
		body = fmt.Sprintf(`{"users":[{"id":%q}]}`, w.id)
	}
	for ; ; n++ {
		if token, err := announceTo(f.client, f.sidecars[n%len(f.sidecars)].url, body); err == nil {
			return token
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// announceTo announces changes to a sidecar. It returns the token.
func announceTo(client *http.Client, url, body string) (token string, err error) {
	r, err := http.NewRequest(http.MethodPost, url+"/v1/membership/changes", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+changesToken)
	answer, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	var taken struct{ Token string }
	if err := json.NewDecoder(answer.Body).Decode(&taken); err != nil || answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d, %w", answer.StatusCode, err)
	}
	return taken.Token, nil
}

// ask asks whether an administrator may edit Jane, and logs the answer.
func (f *revocationTest) ask(sidecar int, id, token string) (allowed, answered bool) {
	a, status, err := askAbout(f.client, f.sidecars[sidecar].url, id, token)
	if err != nil || status != http.StatusOK {
		f.log.addFailure()
		return false, false
	}
	require.NotZero(f.t, a.version)
	a.sidecar = sidecar
	f.log.addAnswer(a)
	return a.allowed, true
}

// askAbout asks whether an administrator may edit Jane. The answer has the version of the record that decided it.
func askAbout(client *http.Client, url, id, token string) (a adminAnswer, status int, err error) {
	a = adminAnswer{id: id, token: token != "", at: time.Now()}
	atLeast := ""
	if token != "" {
		atLeast = fmt.Sprintf(`,"at_least":%q`, token)
	}
	r, err := http.NewRequest(http.MethodPost, url+evaluationPath, strings.NewReader(fmt.Sprintf(
		`{"subject":{"type":"user","id":%q},"action":{"name":"user.edit"},"resource":{"type":"user","id":"jane"},"context":{"current_location":"metro","include":["freshness"]%s}}`, id, atLeast)))
	if err != nil {
		return a, 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", "-") // the client may ask again if the server has closed an idle connection
	answer, err := client.Do(r)
	if err != nil {
		return a, 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return a, answer.StatusCode, err
	}
	var said struct {
		Decision bool
		Context  struct {
			Freshness struct {
				Records []struct {
					Type, ID string
					Version  uint64
					Vouched  bool
				}
			}
		}
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return a, answer.StatusCode, fmt.Errorf("%w: %s", err, body)
	}
	for _, record := range said.Context.Freshness.Records {
		if record.Type == "user" && record.ID == id {
			a.version, a.confirmed = record.Version, record.Vouched
		}
	}
	a.allowed = said.Decision
	return a, answer.StatusCode, nil
}
