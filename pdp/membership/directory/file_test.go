package directory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wardkeeper/wardkeeper/pdp/facts"

	"github.com/wardkeeper/wardkeeper/pdp/membership/fixture"
	"github.com/wardkeeper/wardkeeper/pdp/membership/record"
)

func openTestFile(t *testing.T, path string, change func(*FileConfig)) (*File, *fixture.LogBuffer) {
	t.Helper()
	log := &fixture.LogBuffer{}
	cfg := FileConfig{
		Path: path, Vocabulary: fixture.Vocabulary(), Logger: slog.New(slog.NewTextHandler(log, nil)),
		Interval: time.Millisecond, Settle: 5 * time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	f, err := OpenFile(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, f.Close())
		if t.Failed() {
			t.Logf("%+v\n%s", f.Status(), log)
		}
	})
	return f, log
}

func eventuallyStatus(t *testing.T, f *File, what string, condition func(Status) bool) {
	t.Helper()
	require.Eventually(t, func() bool { return condition(f.Status()) }, fixture.Timeout, 2*time.Millisecond, what)
}

func hasUser(t *testing.T, f *File, user string) bool {
	t.Helper()
	v, err := f.View(context.Background(), facts.Requirement{})
	require.NoError(t, err)
	return fixture.UserOf(t, v, user) != nil
}

func TestChangedFileIsReloaded(t *testing.T) {
	one, two := fixture.WithUsers(`{"id": "one"}`), fixture.WithUsers(`{"id": "two"}`)
	replace := func(t *testing.T, path string) {
		fixture.WriteFile(t, path+".new", two)
		require.NoError(t, os.Rename(path+".new", path))
	}
	for name, change := range map[string]func(t *testing.T, path string){
		"written in place": func(t *testing.T, path string) { fixture.WriteFile(t, path, two) },
		"renamed over":     replace,
		"removed and written again": func(t *testing.T, path string) {
			require.NoError(t, os.Remove(path))
			fixture.WriteFile(t, path, two)
		},
		"folder replaced": func(t *testing.T, path string) {
			folder := filepath.Dir(path)
			require.NoError(t, os.Rename(folder, folder+".old"))
			require.NoError(t, os.Mkdir(folder, 0o700))
			fixture.WriteFile(t, path, two)
		},
		"written with the same size and time": func(t *testing.T, path string) {
			before, err := os.Stat(path)
			require.NoError(t, err)
			file, err := os.OpenFile(path, os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = file.WriteString(two)
			require.NoError(t, errors.Join(err, file.Close(), os.Chtimes(path, time.Time{}, before.ModTime())))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "conf", "directory.json")
			require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
			fixture.WriteFile(t, path, one)
			future := time.Now().Add(time.Hour) // the file counts as written just now, however long the test takes
			require.NoError(t, os.Chtimes(path, future, future))
			var reloaded atomic.Pointer[Directory]
			f, _ := openTestFile(t, path, func(cfg *FileConfig) { cfg.OnReload = func(d *Directory) { reloaded.Store(d) } })
			assert.True(t, hasUser(t, f, "one"))
			assert.Nil(t, reloaded.Load())
			change(t, path)
			eventuallyStatus(t, f, "reloaded", func(s Status) bool { return s.Reloads == 1 && s.Err == nil })
			assert.True(t, hasUser(t, f, "two"))
			assert.False(t, hasUser(t, f, "one"))
			require.Eventually(t, func() bool { return reloaded.Load() == f.Directory() }, fixture.Timeout, time.Millisecond)
		})
	}
}

// In a ConfigMap of Kubernetes, directory.yaml links to ..data/directory.yaml, and ..data links to a folder. An update
// replaces only the link ..data.
func TestFileIsReloadedWhenSymlinkIsReplaced(t *testing.T) {
	folder := t.TempDir()
	version := func(name, user string) {
		require.NoError(t, os.Mkdir(filepath.Join(folder, name), 0o700))
		fixture.WriteFile(t, filepath.Join(folder, name, "directory.yaml"), "locations: []\nusers:\n- id: "+user+"\n")
		require.NoError(t, os.Symlink(name, filepath.Join(folder, "..data_tmp")))
		require.NoError(t, os.Rename(filepath.Join(folder, "..data_tmp"), filepath.Join(folder, "..data")))
	}
	version("..2026_01", "one")
	path := filepath.Join(folder, "directory.yaml")
	require.NoError(t, os.Symlink("..data/directory.yaml", path))
	f, _ := openTestFile(t, path, nil)
	assert.True(t, hasUser(t, f, "one"))
	eventuallyStatus(t, f, "read again after the debounce", func(s Status) bool { return s.AttemptedAt.After(s.LoadedAt) })
	version("..2026_02", "two")
	eventuallyStatus(t, f, "reloaded", func(s Status) bool { return s.Reloads == 1 })
	assert.True(t, hasUser(t, f, "two"))
}

func TestFaultyFileLeavesLastGoodDirectoryInForce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.yaml")
	fixture.WriteFile(t, path, everyoneYAML)
	f, log := openTestFile(t, path, nil)
	good := f.Directory()
	assert.Equal(t, 11, f.Status().Locations)
	assert.Equal(t, 6, f.Status().Users)
	assert.Equal(t, good.Revision(), f.Status().Revision)
	loaded := f.Status().LoadedAt
	assert.WithinDuration(t, time.Now(), loaded, time.Hour)

	fixture.WriteFile(t, path, everyoneYAML+"  - {id: bad, username: 'Somebody@Example.org', name: Some Body, status: gone}\n")
	eventuallyStatus(t, f, "refused", func(s Status) bool { return s.Failures > 0 })
	s := f.Status()
	assert.ErrorContains(t, s.Err, `user "bad": status is not one of active, deactivated`)
	assert.Equal(t, good.Revision(), s.Revision)
	assert.Equal(t, loaded, s.LoadedAt)
	assert.True(t, s.AttemptedAt.After(loaded))
	assert.Zero(t, s.Reloads)
	assert.Same(t, good, f.Directory())
	require.Eventually(t, func() bool { return bytes.Contains([]byte(log.String()), []byte("level=ERROR")) }, fixture.Timeout, time.Millisecond)
	assert.Contains(t, log.String(), `the last good one stays in force`)
	for _, private := range []string{"omebody", "Some Body", "Neil", "Jan"} {
		assert.NotContains(t, log.String(), private)
	}

	require.NoError(t, os.Remove(path))
	eventuallyStatus(t, f, "gone", func(s Status) bool { return os.IsNotExist(findNotExist(s.Err)) })
	assert.Same(t, good, f.Directory())

	fixture.WriteFile(t, path, everyoneYAML)
	eventuallyStatus(t, f, "repaired", func(s Status) bool { return s.Err == nil })
	assert.Same(t, good, f.Directory(), "an unchanged document keeps its directory")
	again := func() bool { return strings.Contains(log.String(), "directory file is good again") }
	require.Eventually(t, again, fixture.Timeout, time.Millisecond)
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	assert.Contains(t, lines[len(lines)-1], "level=INFO")
	assert.Contains(t, lines[len(lines)-1], "revision="+good.Revision())
	require.NoError(t, f.Reload())
	assert.Equal(t, 1, strings.Count(log.String(), "directory file is good again"), "logged only after a failure")
	fixture.WriteFile(t, path, everyoneYAML+"  - id: more\n")
	eventuallyStatus(t, f, "reloaded", func(s Status) bool { return s.Reloads == 1 && s.Users == 7 })
	require.NoError(t, f.Close())
	require.NoError(t, f.Close(), "closing again does nothing")
	assert.True(t, hasUser(t, f, "more"), "the last directory can still be read")
}

func findNotExist(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return err
		}
		if os.IsNotExist(err) {
			return err
		}
		err = u.Unwrap()
	}
}

func TestOpenFileReportsErrors(t *testing.T) {
	folder := t.TempDir()
	_, err := OpenFile(FileConfig{Path: filepath.Join(folder, "none.json")})
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = OpenFile(FileConfig{Path: folder})
	assert.EqualError(t, err, "directory file: "+folder+" is not a regular file")

	large := filepath.Join(folder, "large.json")
	fixture.WriteFile(t, large, "")
	require.NoError(t, os.Truncate(large, MaxSize+1))
	_, err = OpenFile(FileConfig{Path: large})
	assert.EqualError(t, err, "directory file: "+large+" is larger than 268435456 bytes")

	bad := filepath.Join(folder, "bad.json")
	fixture.WriteFile(t, bad, `{"locations": [{"id": "x"}], "users": [{"id": "y", "status": "z"}]}`)
	_, err = OpenFile(FileConfig{Path: bad})
	var faults *record.Faults
	require.ErrorAs(t, err, &faults)
	assert.Len(t, faults.All(), 3)

	yaml := filepath.Join(folder, "yaml.json")
	fixture.WriteFile(t, yaml, everyoneYAML)
	_, err = OpenFile(FileConfig{Path: yaml})
	assert.ErrorContains(t, err, "line 1, column", "the file name selects JSON")
}

// Values derived from a user or location stay valid if the pointer and its version are the same.
func TestReloadKeepsUnchangedUsersAndLocations(t *testing.T) {
	before := parseDirectory(t, fixture.WithUsers(fixture.Everyone))
	change := func(document string, previous *Directory) *Directory {
		d, err := ParseDocument([]byte(document), record.JSON, fixture.Vocabulary(), previous)
		require.NoError(t, err)
		return d
	}
	replace := func(old, with string) string {
		document := fixture.WithUsers(fixture.Everyone)
		require.Contains(t, document, old)
		return string(bytes.Replace([]byte(document), []byte(old), []byte(with), 1))
	}
	for name, c := range map[string]struct {
		document  string
		locations []string // whose pointer and version change
		users     []string
	}{
		"nothing":           {fixture.WithUsers(" " + fixture.Everyone), nil, nil},
		"a name":            {replace(`"given": "Jané"`, `"given": "Jane"`), nil, []string{"ghi"}},
		"a login":           {replace(`05:06.7`, `05:06.8`), nil, []string{"ghi"}},
		"another time zone": {replace(`04:05:06.7+02:00`, `02:05:06.7Z`), nil, nil},
		"an area":           {replace(`"calendars": false`, `"calendars": true`), nil, []string{"anna"}},
		"a level":           {replace(`"level": "standard"`, `"level": "full"`), nil, []string{"anna"}},
		"no access":         {replace(`, "access": {}`, ``), nil, []string{"otto"}},
		"a status":          {replace(`"id": "vera"`, `"id": "vera", "status": "deactivated"`), nil, []string{"vera"}},
		"a location":        {replace(`"id": "north"`, `"id": "north", "name": "North"`), []string{"ghi", "jkl", "north"}, []string{"ghi"}},
		"a root":            {replace(`"plan": "free"`, `"plan": "paid"`), []string{"alone"}, []string{"sys"}},
	} {
		t.Run(name, func(t *testing.T) {
			after := change(c.document, before)
			var locations, users []string
			for i, l := range after.All {
				if l != before.All[i] {
					locations = append(locations, l.ID())
					assert.Greater(t, l.Version(), before.All[i].Version())
				}
			}
			for i, u := range after.users {
				if u != before.users[i] {
					users = append(users, u.ID())
					assert.Greater(t, u.Version(), before.users[i].Version())
				}
				for _, a := range u.Record().Assignments {
					assert.NotNil(t, after.ByID(a.Location))
				}
			}
			assert.Equal(t, c.locations, locations)
			assert.Equal(t, c.users, users)
			assert.NotEqual(t, before.Revision(), after.Revision())
			assertSameDirectory(t, parseDirectory(t, c.document), after)
		})
	}
	// A user who is removed and added again gets a new version.
	gone := change(fixture.WithUsers(""), before)
	back := change(fixture.WithUsers(fixture.Everyone), gone)
	assert.Greater(t, fixture.UserOf(t, back, "vera").Version(), fixture.UserOf(t, before, "vera").Version())
}

func TestFileIsCheckedAndActivatedForAnotherVocabulary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.json")
	fixture.WriteFile(t, path, fixture.WithUsers(fixture.Everyone))
	f, _ := openTestFile(t, path, nil)
	before := f.Directory()
	less := fixture.Vocabulary()
	less.Levels = []string{"full"}
	_, err := f.Check(less)
	assert.ErrorContains(t, err, `user "anna": assignment at "grp": access.level does not exist`)
	assert.Same(t, before, f.Directory())
	assert.Zero(t, f.Status().Failures, "Check does not count failures")
	fixture.WriteFile(t, path, fixture.WithUsers(fixture.Everyone)+" ")
	require.NoError(t, f.Reload(), "the former vocabulary is still used")

	more := fixture.Vocabulary()
	more.Roles["vendor"] = append(more.Roles["vendor"], "vendor_chief")
	chief := string(bytes.ReplaceAll([]byte(fixture.WithUsers(fixture.Everyone)), []byte("vendor_staff"), []byte("vendor_chief")))
	fixture.WriteFile(t, path, chief)
	before = f.Directory()
	checked, err := f.Check(more)
	require.NoError(t, err)
	assert.Same(t, before, f.Directory(), "the checked directory is not in force yet")
	fixture.WriteFile(t, path, fixture.WithUsers(fixture.Everyone)+"  ")
	require.NoError(t, f.Reload())
	f.Activate(checked)
	assert.Equal(t, "vendor_staff", fixture.UserOf(t, f.Directory(), "vera").Record().Assignments[0].Role, "the directory loaded after the check is newer")
	checked, err = f.Check(more)
	require.NoError(t, err)
	f.Activate(checked)
	assert.Same(t, fixture.UserOf(t, before, "vera"), fixture.UserOf(t, f.Directory(), "vera"))
	fixture.WriteFile(t, path, chief)
	require.NoError(t, f.Reload())
	assert.Equal(t, "vendor_chief", fixture.UserOf(t, f.Directory(), "vera").Record().Assignments[0].Role)
}

func TestReadersSeeWholeDirectoriesDuringReloads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.json")
	state := func(n int) string {
		users := ""
		for i := range 20 {
			users += fmt.Sprintf(`{"id": "u%d", "username": "state-%d-%d", "assignments": [{"location": "e1", "role": "user"}]},`, i, n, i)
		}
		return fixture.WithUsers(users[:len(users)-1])
	}
	fixture.WriteFile(t, path, state(0))
	f, _ := openTestFile(t, path, nil)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				v, err := f.View(context.Background(), facts.Requirement{})
				assert.NoError(t, err)
				page, err := v.Users(context.Background(), facts.UserQuery{Beneath: "hs", Sort: facts.SortUsername})
				assert.NoError(t, err)
				if !assert.Len(t, page.Users, 20) {
					return
				}
				var n, i int
				_, err = fmt.Sscanf(page.Users[0].Username(), "state-%d-%d", &n, &i)
				assert.NoError(t, err)
				for _, u := range page.Users {
					assert.Contains(t, u.Username(), fmt.Sprintf("state-%d-", n))
				}
				_ = f.Status()
			}
		})
	}
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for i := range 20 {
				next := fmt.Sprintf("%s.%d", path, w)
				assert.NoError(t, os.WriteFile(next, []byte(state(1+i*2+w)), 0o600))
				assert.NoError(t, os.Rename(next, path))
				_ = f.Reload() // at the same time as the watcher
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	require.NoError(t, f.Reload())
	assert.NotZero(t, f.Status().Reloads)
	assert.Zero(t, f.Status().Failures)
}

// A file that becomes readable must be read, even though it was not written.
func TestChangedModeIsAChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.json")
	fixture.WriteFile(t, path, fixture.WithUsers(""))
	w := newWatcher(FileConfig{Path: path})
	assert.False(t, w.changed())
	require.NoError(t, os.Chmod(path, 0o400))
	assert.True(t, w.changed())
}
