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

// fleet is three sidecars over one database and one Redis, whose administrators lose and get back their power all the time
// while everybody asks.
type fleet struct {
	t        testing.TB
	database *servertest.Postgres
	sidecars []*daemon
	// announces says that changes are announced by whoever makes them, since the sidecars do not listen to the database.
	announces bool
	// mute leaves the announcements out: how it would be without the stream.
	mute bool

	client *http.Client
	ledger ledger
}

// admins are a0, a1, ...: regional administrators at metro.
const admins = 6

// newFleet fills a database, and starts three sidecars that all have heard of each other's stream.
func newFleet(t testing.TB, redis string, announces bool) *fleet {
	t.Helper()
	f := &fleet{t: t, database: servertest.StartPostgres(t), announces: announces, client: &http.Client{Timeout: servertest.Timeout}}
	document := strings.Builder{}
	document.WriteString(`{"locations":[{"id":"metro","kind":"region","model":"regional"},{"id":"north","kind":"division","parent":"metro"},` +
		`{"id":"ghi","kind":"facility","parent":"north"}],"users":[{"id":"jane","default_location":"ghi","assignments":[{"location":"ghi","role":"ed_normal"}]}`)
	for i := range admins {
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
		f.sidecars = append(f.sidecars, serving(t, "--config", writeFile(t, "sidecar.yaml", settings),
			"--directory", f.database.URL(), "--redis", redis, "--changes-token-file", writeFile(t, "changes", changesToken)))
	}
	f.untilVouched()
	return f
}

// untilVouched waits until facts are vouched for at every sidecar.
func (f *fleet) untilVouched() {
	f.t.Helper()
	for _, d := range f.sidecars {
		until(f.t, "facts are vouched for", func() bool { return d.metric(f.t, "wardkeeper_membership_vouched") == 1 })
	}
}

// play lets everybody ask and one administrator after another change, while something is done to the servers.
func (f *fleet) play(meanwhile func()) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var acting sync.WaitGroup
	acting.Go(func() { f.write(ctx) })
	for i := range f.sidecars {
		for caller := range 3 {
			acting.Go(func() {
				r := rand.New(rand.NewPCG(uint64(i), uint64(caller)))
				for ctx.Err() == nil {
					f.ask(i, fmt.Sprintf("a%d", r.IntN(admins)), "")
					time.Sleep(8 * time.Millisecond)
				}
			})
		}
	}
	time.Sleep(2 * time.Second)
	meanwhile()
	time.Sleep(2 * time.Second)
	until(f.t, "there are enough answers", func() bool {
		allowed, denied, _ := f.ledger.count()
		return allowed > 500 && denied > 500
	})
	cancel()
	acting.Wait()
}

// write takes power from administrators and gives it back.
func (f *fleet) write(ctx context.Context) {
	connection, err := pgx.Connect(context.Background(), f.database.URL())
	require.NoError(f.t, err)
	defer func() { _ = connection.Close(context.Background()) }()
	active := [admins]bool{}
	for n := 0; ctx.Err() == nil; n++ {
		i := n % admins
		id, status := fmt.Sprintf("a%d", i), "active"
		if active[i] = !active[i]; !active[i] {
			status = "deactivated"
		}
		w := writing{id: id, active: active[i]}
		err := connection.QueryRow(context.Background(), "UPDATE users SET status = $1 WHERE id = $2 RETURNING version", status, id).Scan(&w.version)
		require.NoError(f.t, err)
		w.committed = time.Now()
		f.ledger.begin(w)
		if f.announces && !f.mute {
			token := f.announce(n, w)
			f.ledger.announced(w, time.Now())
			f.ask((n+1)%len(f.sidecars), id, token)
		}
		time.Sleep(120 * time.Millisecond)
	}
}

// announce tells some sidecar of a change, and goes on until one has taken it.
func (f *fleet) announce(n int, w writing) (token string) {
	body := fmt.Sprintf(`{"users":[{"id":%q,"version":%d}]}`, w.id, w.version)
	if n%2 == 0 {
		body = fmt.Sprintf(`{"users":[{"id":%q}]}`, w.id)
	}
	for ; ; n++ {
		r, err := http.NewRequest(http.MethodPost, f.sidecars[n%len(f.sidecars)].url+"/v1/membership/changes", strings.NewReader(body))
		require.NoError(f.t, err)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+changesToken)
		answer, err := f.client.Do(r)
		if err == nil {
			var taken struct{ Token string }
			err = json.NewDecoder(answer.Body).Decode(&taken)
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK && err == nil {
				return taken.Token
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// ask asks whether an administrator may edit Jane, and writes down what is answered and by which record.
func (f *fleet) ask(sidecar int, id, token string) (allowed, answered bool) {
	r := asking{sidecar: sidecar, id: id, token: token != "", at: time.Now()}
	atLeast := ""
	if token != "" {
		atLeast = fmt.Sprintf(`,"at_least":%q`, token)
	}
	answer, err := f.client.Post(f.sidecars[sidecar].url+evaluationPath, "application/json", strings.NewReader(fmt.Sprintf(
		`{"subject":{"type":"user","id":%q},"action":{"name":"user.edit"},"resource":{"type":"user","id":"jane"},"context":{"current_location":"metro","include":["freshness"]%s}}`, id, atLeast)))
	if err != nil {
		f.ledger.failed()
		return false, false
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if err != nil || answer.StatusCode != http.StatusOK {
		f.ledger.failed()
		return false, false
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
	require.NoError(f.t, json.Unmarshal(body, &said), string(body))
	for _, record := range said.Context.Freshness.Records {
		if record.Type == "user" && record.ID == id {
			r.version, r.vouched = record.Version, record.Vouched
		}
	}
	require.NotZero(f.t, r.version, string(body))
	r.allowed = said.Decision
	f.ledger.asked(r)
	return r.allowed, true
}
