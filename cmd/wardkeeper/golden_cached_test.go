package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership"
	"github.com/wardkeeper/wardkeeper/pdp/membership/cache"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
)

// documentOrigin returns the records of a document. All of them have the same version, since the document does not change.
type documentOrigin struct {
	directory *directory.Directory // finds them
	users     map[string]json.RawMessage
	locations map[string]json.RawMessage
}

var _ membership.Origin = (*documentOrigin)(nil)

func newDocumentOrigin(t *testing.T, document []byte, v pdp.Vocabulary) *documentOrigin {
	t.Helper()
	d, err := directory.Parse(document, v)
	require.NoError(t, err)
	o := &documentOrigin{directory: d, users: map[string]json.RawMessage{}, locations: map[string]json.RawMessage{}}
	var said struct{ Users, Locations []json.RawMessage }
	require.NoError(t, json.Unmarshal(document, &said))
	for records, all := range map[*map[string]json.RawMessage][]json.RawMessage{&o.users: said.Users, &o.locations: said.Locations} {
		for _, one := range all {
			var record struct{ ID string }
			require.NoError(t, json.Unmarshal(one, &record))
			(*records)[record.ID] = one
		}
	}
	return o
}

func (o *documentOrigin) rawUser(u *facts.User, err error) (*membership.RawRecord, error) {
	if u == nil || err != nil {
		return nil, err
	}
	return &membership.RawRecord{Record: o.users[u.ID()], Version: 1}, nil
}

func (o *documentOrigin) User(ctx context.Context, id string) (*membership.RawRecord, error) {
	return o.rawUser(o.directory.User(ctx, id))
}

func (o *documentOrigin) UserByUsername(ctx context.Context, username string) ([]membership.RawRecord, error) {
	one, err := o.rawUser(o.directory.UserByUsername(ctx, username))
	if one == nil {
		return nil, err
	}
	return []membership.RawRecord{*one}, nil
}

func (o *documentOrigin) Organization(ctx context.Context, location string) (*membership.RawRecord, error) {
	at, err := o.directory.Location(ctx, location)
	if at == nil || err != nil {
		return nil, err
	}
	all, err := o.directory.Locations(ctx, facts.LocationQuery{Beneath: at.Organization()})
	if err != nil {
		return nil, err
	}
	var tree []json.RawMessage
	for _, l := range slices.Backward(all) { // the order must not matter
		tree = append(tree, o.locations[l.ID()])
	}
	record, err := json.Marshal(tree)
	return &membership.RawRecord{Record: record, Version: 1}, err
}

func (o *documentOrigin) Users(ctx context.Context, q facts.UserQuery) (list membership.RawUsers, err error) {
	page, err := o.directory.Users(ctx, q)
	list.More = page.More
	for _, u := range page.Users {
		list.Users = append(list.Users, membership.RawRecord{Record: o.users[u.ID()], Version: 1})
	}
	return list, err
}

func (o *documentOrigin) Locations(ctx context.Context, after string, limit int) (ids []string, err error) {
	all, err := o.directory.Locations(ctx, facts.LocationQuery{After: after, Limit: limit})
	for _, l := range all {
		ids = append(ids, l.ID())
	}
	return ids, err
}

func (o *documentOrigin) Check(context.Context) error { return nil }
func (o *documentOrigin) Close() error                { return nil }

// cachedEngines holds an engine over a cached source for each directory, by its name.
var cachedEngines = map[string]*pdp.Engine{}

// cachedEngine returns the built-in policy over the directory of the file. Each record is fetched separately.
func cachedEngine(t *testing.T, name string, facts []byte) *pdp.Engine {
	t.Helper()
	if cachedEngines[name] == nil {
		policy, err := builtInPolicy()
		require.NoError(t, err)
		cached, err := cache.Open(cache.Config{
			Origin: newDocumentOrigin(t, facts, *policy.Vocabulary()), Vocabulary: *policy.Vocabulary(),
			MaxAgeChange: time.Hour, MaxAgeUse: time.Hour, Logger: slog.New(slog.DiscardHandler),
		}) // not closed: other files use it, and it starts no goroutines
		require.NoError(t, err)
		cachedEngines[name] = pdp.New(pdp.Config{Policy: policy, Source: cached, Timeout: time.Minute})
	}
	return cachedEngines[name]
}

// Each question is asked with a cold and with a warm cache.
func TestGoldenDecisionsThroughTheCache(t *testing.T) {
	skipIfShort(t)
	t.Parallel()
	asked := 0
	for _, path := range goldenPaths(t) {
		file := goldenQuestions(t, path)
		name, facts, err := file.DirectoryJSON(os.DirFS(goldenTree))
		require.NoError(t, err)
		ask := askEngine(t, cachedEngine(t, name, facts))
		for _, c := range file.Cases {
			for range 2 {
				require.JSONEq(t, string(goldenAnswer(t, c)), string(ask(t, goldenQuestion(t, c))), "%s: %s", path, c.Name)
			}
			asked++
		}
	}
	if !fewerQuestions(t) {
		require.Greater(t, asked, 500)
	}
}
