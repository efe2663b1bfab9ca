package decisionlog

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp/decisionpart"
)

// sharedParts has the parts that test records share, by their values.
var sharedParts sync.Map

// appendShared appends a record, the value of its "pad" as a part.
func appendShared(ctx context.Context, l *Log, record string) error {
	before, value, padded := strings.Cut(strings.TrimSuffix(record, "}"), `"pad":`)
	if !padded {
		return appendTo(ctx, l, []byte(record))
	}
	part, err := decisionpart.New([]byte(value))
	if err != nil {
		return err
	}
	known, _ := sharedParts.LoadOrStore(value, part)
	before += `"pad":`
	return appendTo(ctx, l, []byte(before+"null}"), at(known.(*decisionpart.Part), len(before)))
}

func at(part *decisionpart.Part, offset int) decisionpart.Placed {
	return decisionpart.Placed{Part: part, Offset: offset}
}

// padded returns the records n = from to n = to, some of which have the same long value, some one of their own, and some none.
func padded(from, to int) (records []string) {
	for n := from; n <= to; n++ {
		switch {
		case n%5 == 0:
			records = append(records, fmt.Sprintf(`{"n":%d}`, n))
		case n%7 == 0:
			records = append(records, fmt.Sprintf(`{"n":%d,"pad":[%d,"%s"]}`, n, n, strings.Repeat("x", 90)))
		default:
			records = append(records, fmt.Sprintf(`{"n":%d,"pad":{"kind":%d,"text":"%s"}}`, n, n%3, strings.Repeat("y", 200)))
		}
	}
	return records
}

func count(f folder, start string) (n int) {
	for _, lines := range f {
		for _, line := range lines {
			if strings.HasPrefix(line, start) {
				n++
			}
		}
	}
	return n
}

func TestPartsAreWrittenOncePerSegment(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Config{Dir: dir})
	records := padded(1, 40)
	for _, r := range records {
		require.NoError(t, appendShared(t.Context(), l, r))
	}
	closeLog(t, l)
	require.Equal(t, records, readAll(t, dir))
	require.Equal(t, uint64(40), verified(t, dir).Records)
	own := 0
	for _, r := range records {
		own += strings.Count(r, "[")
	}
	require.Equal(t, 3+own, count(loadFolder(t, dir), partStart))

	again := open(t, Config{Dir: dir}) // goes on in the segment, whose parts it has not kept
	require.NoError(t, appendShared(t.Context(), again, records[0]))
	closeLog(t, again)
	require.Equal(t, append(records, records[0]), readAll(t, dir))
	require.Equal(t, 3+own+1, count(loadFolder(t, dir), partStart))
}

// A reader keeps no more of a segment than its parts in use, so that there are limits to them.
func TestPartsOfALongSegmentBeginAnew(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Config{Dir: dir, Durability: Buffered, MaxSegment: 1 << 30})
	long := strings.Repeat("z", maxParts/10)
	for n := range 30 {
		require.NoError(t, appendShared(t.Context(), l, fmt.Sprintf(`{"n":%d,"pad":"%d%s"}`, n, n, long)))
		require.NoError(t, appendShared(t.Context(), l, fmt.Sprintf(`{"n":%d,"pad":{"often":"%s"}}`, n, strings.Repeat("w", 99))))
	}
	closeLog(t, l)
	require.Len(t, readAll(t, dir), 60)
	f := loadFolder(t, dir)
	require.Less(t, count(f, partStart+"0,"), 6)
	require.Greater(t, count(f, partStart+"0,"), 2)
	require.Less(t, count(f, partStart), 30+6)
	verified(t, dir)
}

// After a write that failed, nobody knows which parts the disk has.
func TestPartsAreWrittenAgainAfterAFault(t *testing.T) {
	for name, fail := range map[string]func(d *disk, err error){
		"write": func(d *disk, err error) { d.write = err },
		"sync":  func(d *disk, err error) { d.sync = err },
	} {
		t.Run(name, func(t *testing.T) {
			var d disk
			dir := t.TempDir()
			l := open(t, Config{Dir: dir, Durability: Sync, Full: Deny, openFile: d.openFile})
			records := padded(1, 4)
			require.NoError(t, appendShared(t.Context(), l, records[0]))
			d.set(func(d *disk) { fail(d, syscall.EIO) })
			require.Error(t, appendShared(t.Context(), l, records[1]))
			d.set(func(d *disk) { fail(d, nil) })
			waitFor(t, "the log is written again", func() bool { return l.Status().Failing == nil })
			for _, r := range records[1:] {
				require.NoError(t, appendShared(t.Context(), l, r))
			}
			closeLog(t, l)
			require.Equal(t, records, readAll(t, dir))
			verified(t, dir)
		})
	}
}

func TestTamperedPartsAreNoticed(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Config{Dir: dir})
	for _, r := range padded(1, 9) {
		require.NoError(t, appendShared(t.Context(), l, r))
	}
	closeLog(t, l)
	genuine := loadFolder(t, dir)
	name := genuine.names()[0]
	part, record := -1, -1
	for i, line := range genuine[name] {
		switch {
		case strings.HasPrefix(line, partStart):
			part = i
		case strings.Contains(line, partsMiddle):
			record = i
		}
	}
	for what, change := range map[string]func(lines []string) []string{
		"the value is changed":             func(l []string) []string { l[part] = strings.Replace(l[part], "x", "v", 1); return l },
		"the part is removed":              func(l []string) []string { return append(l[:part], l[part+1:]...) },
		"the record refers to another one": func(l []string) []string { l[record] = strings.Replace(l[record], "]],", "1]],", 1); return l },
	} {
		t.Run(what, func(t *testing.T) {
			f := genuine.clone()
			f[name] = change(f[name])
			_, err := Verify(f.store(t), nil)
			require.ErrorAs(t, err, new(*Fault))
			f[name] = rehash(f[name]) // by somebody who has no key
			_, err = Verify(f.store(t), testKeys())
			require.ErrorAs(t, err, new(*Fault))
		})
	}
}

// Whoever makes up lines, hashes included, cannot make a reader return what is no record.
func TestReferencesThatMeanNothingAreFaults(t *testing.T) {
	head := func(t *testing.T) string {
		dir := t.TempDir()
		closeLog(t, open(t, Config{Dir: dir}))
		f := loadFolder(t, dir)
		return f[f.names()[0]][0]
	}
	const time = `"time":"2026-01-02T03:04:05Z"`
	for what, lines := range map[string][]string{
		"no such part":                 {`{"seq":1,` + time + `,"parts":[[5,0]],"record":{"a":null}`},
		"a negative number":            {`{"part":0,"value":1`, `{"seq":1,` + time + `,"parts":[[5,-1]],"record":{"a":null}`},
		"a negative offset":            {`{"part":0,"value":1`, `{"seq":1,` + time + `,"parts":[[-5,0]],"record":{"a":null}`},
		"an offset outside":            {`{"part":0,"value":1`, `{"seq":1,` + time + `,"parts":[[99,0]],"record":{"a":null}`},
		"no null there":                {`{"part":0,"value":1`, `{"seq":1,` + time + `,"parts":[[5,0]],"record":{"a":1234}`},
		"inside of a text":             {`{"part":0,"value":"\"x\""`, `{"seq":1,` + time + `,"parts":[[6,0]],"record":{"a":"null"}`},
		"twice the same place":         {`{"part":0,"value":1`, `{"seq":1,` + time + `,"parts":[[5,0],[5,0]],"record":{"a":null}`},
		"no list":                      {`{"part":0,"value":1`, `{"seq":1,` + time + `,"parts":[5,0],"record":{"a":null}`},
		"parts out of order":           {`{"part":1,"value":1`},
		"a part that is no JSON":       {`{"part":0,"value":{`},
		"parts before the last part 0": {`{"part":0,"value":1`, `{"part":1,"value":1`, `{"part":0,"value":1`, `{"seq":1,` + time + `,"parts":[[5,1]],"record":{"a":null}`},
	} {
		t.Run(what, func(t *testing.T) {
			all := []string{head(t)}
			for _, line := range lines {
				all = append(all, line+fakeEnd)
			}
			dir := folder{segmentName(1, false): rehash(all)}.store(t)
			faults := 0
			for e, err := range Read(dir) {
				require.Nil(t, e.Record)
				require.ErrorAs(t, err, new(*Fault))
				faults++
			}
			require.Equal(t, 1, faults)
		})
	}
}

func TestRecordsWithoutAPlaceForTheirParts(t *testing.T) {
	l := open(t, Config{Dir: t.TempDir()})
	part, err := decisionpart.New([]byte(`{"a":1}`))
	require.NoError(t, err)
	for _, parts := range [][]decisionpart.Placed{{at(part, 0)}, {at(part, -1)}, {at(part, 99)}, {at(nil, 5)}, {at(part, 5), at(part, 5)}, {at(part, 14), at(part, 5)}} {
		require.Error(t, appendTo(t.Context(), l, []byte(`{"a":null,"b":null}`), parts...))
	}
	for _, value := range []string{"", "{", "1 2", "[\n1]", strings.Repeat("1", MaxRecord+1)} {
		_, err := decisionpart.New([]byte(value))
		require.Error(t, err, "%.20s", value)
	}
	big, err := decisionpart.New([]byte(`"` + strings.Repeat("x", MaxRecord-2) + `"`))
	require.NoError(t, err)
	require.Error(t, appendTo(t.Context(), l, []byte(`{"a":null}`), at(big, 5)))
	require.NoError(t, appendTo(t.Context(), l, []byte("{\n\"a\": null}"), at(part, 7)))
	closeLog(t, l)
	require.Equal(t, []string{`{"a":{"a":1}}`}, readAll(t, l.cfg.Dir))
}

// A segment of the first format is read, and left for a new one: its readers know no parts.
func TestSegmentsOfTheFirstFormat(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Dir: dir, Signer: testSigner}
	l := open(t, cfg)
	add(t, l, numbered(1, 3)...)
	f := loadFolder(t, dir)
	name := segmentName(1, false)
	f[name][0] = strings.Replace(f[name][0], `"format":2`, `"format":1`, 1)
	for _, torn := range []string{"", `{"seq":4,"ti`} {
		old := f.clone()
		old[name] = rehash(old[name])
		if torn != "" {
			old[name] = append(old[name], torn)
		}
		store := old.store(t)
		again := open(t, Config{Dir: store, Signer: func() ed25519.PrivateKey { return nil }})
		require.NoError(t, appendShared(t.Context(), again, padded(1, 1)[0]))
		closeLog(t, again)
		require.Equal(t, append(numbered(1, 3), padded(1, 1)...), readAll(t, store))
		_, err := Verify(store, nil)
		require.NoError(t, err)
		require.Len(t, loadFolder(t, store), 2)
		require.Equal(t, int64(len(torn)), again.Status().Torn)
	}
}
