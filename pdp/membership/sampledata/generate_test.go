package sampledata_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/origintest"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
	"github.com/wardkeeper/wardkeeper/pdp/membership/sampledata"
)

func TestGeneratedDirectoriesKeepEveryRuleInBothFormats(t *testing.T) {
	sizes := []int{0, 1, 2, 3, 4, 7, 19, 20, 21, 50, 333, 1000, 4001}
	if testing.Short() {
		sizes = sizes[:len(sizes)-2]
	}
	for _, users := range sizes {
		for _, seed := range []uint64{0, 1, 1 << 40, math.MaxUint64} {
			var inJSON, inYAML bytes.Buffer
			counts, err := sampledata.Write(t.Context(), &inJSON, sampledata.Config{Users: users, Seed: seed, Vocabulary: fixture.Vocabulary()})
			require.NoError(t, err)
			_, err = sampledata.Write(t.Context(), &inYAML, sampledata.Config{Users: users, Seed: seed, Format: record.YAML, Vocabulary: fixture.Vocabulary()})
			require.NoError(t, err)
			d, err := directory.ParseDocument(inJSON.Bytes(), record.Auto, fixture.Vocabulary(), nil)
			require.NoError(t, err, "%d users, seed %d", users, seed)
			require.Equal(t, [3]int{users, d.UserCount(), d.LocationCount()}, [3]int{counts.Users, counts.Users, counts.Locations})
			other, err := directory.ParseDocument(inYAML.Bytes(), record.Auto, fixture.Vocabulary(), nil)
			require.NoError(t, err, "%d users, seed %d", users, seed)
			origintest.AssertSameDirectory(t, d, other)
			fixture.AssertInvariants(t, d)
			assertEveryModel(t, inJSON.Bytes())
		}
	}
}

// assertEveryModel requires a root of each kind, with each plan.
func assertEveryModel(t *testing.T, document []byte) {
	t.Helper()
	roots := map[string]bool{}
	for _, l := range decodedDirectory(t, document).Locations {
		if l.Parent == "" {
			roots[strings.TrimSpace(l.Kind+" "+l.Plan)] = true
		}
	}
	require.Equal(t, map[string]bool{"region": true, "system paid": true, "system free": true, "entity paid": true, "entity free": true,
		"group": true, "vendor": true}, roots)
}

// decoded is a directory document, read by encoding/json.
type decoded struct {
	Locations []struct{ ID, Kind, Parent, Plan string }
	Users     []struct {
		ID, Status, Username string
		Default              string `json:"default_location"`
		LastLogin            string `json:"last_login"`
		Assignments          []struct {
			Location, Role, Status string
			Access                 *facts.Access
		}
	}
}

func decodedDirectory(t *testing.T, document []byte) (d decoded) {
	t.Helper()
	require.NoError(t, json.Unmarshal(document, &d))
	return d
}

func TestGeneratedDirectoriesHavePlausibleProportions(t *testing.T) {
	const count = 30_000
	d := decodedDirectory(t, fixture.GenerateDocument(count, record.JSON))
	kinds, parents, held, seen := map[string]string{}, map[string]string{}, map[string]int{}, map[string]int{}
	beneath := map[string]int{}
	for _, l := range d.Locations {
		kinds[l.ID], parents[l.ID] = l.Kind, l.Parent
		seen[l.Kind]++
		if l.Kind == "facility" {
			beneath[parents[l.Parent]]++
		}
	}
	for region, facilities := range beneath {
		require.True(t, facilities >= 50 && facilities <= 500, "%s has %d", region, facilities)
	}
	logins := map[string]int{}
	for _, u := range d.Users {
		groups := 0
		for _, a := range u.Assignments {
			held[a.Role]++
			seen["status "+a.Status]++
			if kinds[a.Location] == "group" {
				groups++
			}
			if a.Access != nil && len(a.Access.Areas) > 0 {
				seen["areas"]++
			}
		}
		seen["groups "+strconv.Itoa(groups)]++
		seen["account "+u.Status]++
		seen["assignments "+strconv.Itoa(min(len(u.Assignments), 3))]++
		logins[u.LastLogin[:min(len(u.LastLogin), 4)]]++
		if strings.IndexFunc(u.Username, func(r rune) bool { return r > unicode.MaxASCII }) >= 0 {
			seen["non-ASCII usernames"]++
		}
	}
	require.Greater(t, seen["facility"], 20*seen["region"])
	require.Greater(t, seen["entity"], 2*seen["system"])
	require.Greater(t, held["ed_normal"], 5*held["ed_admin"])
	require.Greater(t, held["ed_admin"], 5*held["regional_admin"])
	require.Greater(t, held["user"], 5*held["entity_admin"])
	require.Greater(t, held["practitioner"], 2*held["owner"])
	for _, roles := range fixture.Vocabulary().Roles {
		for _, role := range roles {
			require.Positive(t, held[role], role)
		}
	}
	share := func(name string, least, most float64) {
		t.Helper()
		got := float64(seen[name]) / count
		require.True(t, got >= least && got <= most, "%s: %.4f", name, got)
	}
	share("account deactivated", 0.02, 0.06)
	share("status invited", 0.003, 0.03)
	share("status deactivated", 0.003, 0.03)
	share("groups 1", 0.15, 0.25)
	share("groups 2", 0.003, 0.02)
	share("assignments 0", 0.0005, 0.01)
	share("assignments 1", 0.4, 0.8)
	share("assignments 3", 0.02, 0.2)
	share("non-ASCII usernames", 0.02, 0.3)
	share("areas", 0.01, 0.05)
	require.Greater(t, logins["2025"], logins["2024"])
	require.Greater(t, logins["2024"], logins["2023"])
	require.Positive(t, logins["2023"])
	require.Positive(t, logins[""])
}

// Equal seeds give equal bytes on every machine and in every version. Change the digest only if the generator changes.
func TestSeedDeterminesTheDirectory(t *testing.T) {
	of := func(seed uint64) string {
		h := sha256.New()
		_, err := sampledata.Write(t.Context(), h, sampledata.Config{Users: 3000, Seed: seed, Vocabulary: fixture.Vocabulary()})
		require.NoError(t, err)
		return hex.EncodeToString(h.Sum(nil)[:8])
	}
	require.Equal(t, "1b92544ee3429176", of(1))
	require.Equal(t, of(7), of(7))
	require.NotEqual(t, of(7), of(8))

	// The order of the vocabulary does not matter.
	shuffled := fixture.Vocabulary()
	slices.Reverse(shuffled.Levels)
	slices.Reverse(shuffled.Areas)
	for _, roles := range shuffled.Roles {
		slices.Reverse(roles)
	}
	var b bytes.Buffer
	_, err := sampledata.Write(t.Context(), &b, sampledata.Config{Users: 1000, Seed: 1, Vocabulary: shuffled})
	require.NoError(t, err)
	require.Equal(t, string(fixture.GenerateDocument(1000, record.JSON)), b.String())
	b.Reset()
	_, err = sampledata.Write(t.Context(), &b, sampledata.Config{Users: 1000, Seed: 1})
	require.NoError(t, err)
	require.Equal(t, string(fixture.GenerateDocument(1000, record.JSON)), b.String(), "the default vocabulary is that of policies/DOMAIN.md")
}

// A directory uses only the terms that the policy offers, and all roles that it offers, whatever their spelling.
func TestGeneratedDirectoriesUseTheGivenVocabulary(t *testing.T) {
	odd := []string{"true", "No", "1st", "a: b", "#x", "\u00e4rztin", "{}", "null", "-", "plain", "with space", "trailing ", "2026-01-01", "0x1", ".5", "'", `"`, "a\\b"}
	for name, v := range map[string]pdp.Vocabulary{
		"nothing":     {Roles: map[string][]string{}, Levels: []string{}, Areas: []string{}},
		"facilities":  {Roles: map[string][]string{"facility": {"ed_normal"}}},
		"other roles": {Roles: map[string][]string{"region": odd, "division": odd, "facility": odd, "entity": odd, "group": odd, "practice": odd[3:]}, Levels: odd, Areas: odd},
		"no group":    {Roles: map[string][]string{"practice": {"owner"}, "system": {"x"}}},
		"no practice": {Roles: map[string][]string{"group": {"owner"}}},
	} {
		of := func(f record.Format) ([]byte, *directory.Directory) {
			var b bytes.Buffer
			_, err := sampledata.Write(t.Context(), &b, sampledata.Config{Users: 500, Seed: 3, Format: f, Vocabulary: v})
			require.NoError(t, err)
			d, err := directory.ParseDocument(b.Bytes(), f, v, nil)
			require.NoError(t, err, name)
			require.Equal(t, 500, d.UserCount())
			return b.Bytes(), d
		}
		document, d := of(record.JSON)
		_, other := of(record.YAML)
		origintest.AssertSameDirectory(t, d, other)
		held := map[string]bool{}
		for _, u := range decodedDirectory(t, document).Users {
			for _, a := range u.Assignments {
				held[a.Role] = true
			}
		}
		for _, roles := range v.Roles {
			for _, role := range roles {
				require.True(t, held[role] || name == "no group" && role == "owner", "%s: %q", name, role)
			}
		}
	}
}

func TestProgressIsReportedEveryThousandUsers(t *testing.T) {
	var reported []int
	_, err := sampledata.Write(t.Context(), io.Discard, sampledata.Config{Users: 3500, Progress: func(users int) { reported = append(reported, users) }})
	require.NoError(t, err)
	require.Equal(t, []int{1000, 2000, 3000}, reported)
}

func TestWriteReturnsErrorOfConfigContextAndWriter(t *testing.T) {
	for _, users := range []int{-1, sampledata.MaxUsers + 1} {
		_, err := sampledata.Write(t.Context(), io.Discard, sampledata.Config{Users: users})
		require.ErrorContains(t, err, "from 0 to 10000000")
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := sampledata.Write(canceled, io.Discard, sampledata.Config{Users: 10})
	require.ErrorIs(t, err, context.Canceled)
	midway, cancel := context.WithCancel(t.Context())
	counts, err := sampledata.Write(midway, io.Discard, sampledata.Config{Users: 10_000, Progress: func(int) { cancel() }})
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, counts.Users, 10_000)
	for _, room := range []int{0, 100_000, 1_000_000} {
		_, err = sampledata.Write(t.Context(), &limitedWriter{room}, sampledata.Config{Users: 20_000})
		require.ErrorIs(t, err, io.ErrShortWrite, room)
	}
}

// limitedWriter fails after a number of bytes.
type limitedWriter struct{ room int }

func (f *limitedWriter) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}
