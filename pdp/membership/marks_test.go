package membership

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wardkeeper/wardkeeper/pdp"
)

// markedFeed is a feed that follows a stream.
func markedFeed() (*feed, streaming) {
	f := newFeed(byStreaming, time.Second, 20*time.Minute, func(string) string { return "" })
	s := streaming{f}
	s.began(position{"e", 0}, position{"e", 0}, nil, time.Now())
	return f, s
}

func userFact(k fact, version uint64) *record {
	k.version, k.life = version, time.Hour
	return &record{fact: k, key: recordKey{userRecord, "jane"}, user: &account{}}
}

func changed(version uint64) []pdp.Change {
	return []pdp.Change{{Kind: pdp.UserChanged, ID: "jane", Version: version}}
}

// TestAnnouncementsOutOfOrder: what one of them says is not unsaid by another that came before or after it.
func TestAnnouncementsOutOfOrder(t *testing.T) {
	at := func(n uint64) position { return position{"e", n} }
	verdictOf := func(f *feed, e *record) verdict {
		v, _ := f.judge(e, time.Hour, time.Now())
		return v
	}

	t.Run("an older version after a change without one", func(t *testing.T) {
		synctest.Test(t, func(*testing.T) {
			f, s := markedFeed()
			before := userFact(f.start(), 3)
			s.changed(announced{at(1), changed(0)}) // to version 4
			assert.Equal(t, stale, verdictOf(f, before))
			s.changed(announced{at(2), changed(3)}) // told late
			assert.Equal(t, stale, verdictOf(f, before))
			assert.Equal(t, good, verdictOf(f, userFact(f.start(), 4)))
		})
	})

	t.Run("a change without a version that is heard after a later one with it", func(t *testing.T) {
		synctest.Test(t, func(*testing.T) {
			f, s := markedFeed()
			before := userFact(f.start(), 3)
			f.take(changed(3), at(2)) // announced here
			s.changed(announced{at(1), changed(0)})
			assert.Equal(t, stale, verdictOf(f, before))
		})
	})

	t.Run("a version that is heard after a later change without one", func(t *testing.T) {
		synctest.Test(t, func(*testing.T) {
			f, s := markedFeed()
			f.take(changed(0), at(2)) // announced here
			s.changed(announced{at(1), changed(9)})
			time.Sleep(time.Millisecond)
			v, vouched := ageless(f, userFact(f.start(), 8))
			assert.Equal(t, good, v, "the origin knows better")
			assert.False(t, vouched, "and yet it may be behind")
			v, vouched = ageless(f, userFact(f.start(), 9))
			assert.Equal(t, good, v)
			assert.True(t, vouched)
		})
	})

	t.Run("one of the origin's, and then one of the stream", func(t *testing.T) {
		synctest.Test(t, func(*testing.T) {
			f, s := markedFeed()
			elsewhere := userFact(fact{stamp: stamp{asOf: time.Now(), at: at(1)}}, 0)
			listened{f}.Changed(changed(0))
			s.changed(announced{at(1), changed(0)}) // which whoever fetched knew of, and not of the other
			assert.Equal(t, stale, verdictOf(f, elsewhere))
			time.Sleep(3 * time.Second)
			s.beat(time.Now())
			assert.Equal(t, good, verdictOf(f, userFact(fact{stamp: stamp{asOf: time.Now(), at: at(1)}}, 0)))
		})
	})
}

// TestMarksAreBounded: what memory does not allow to remember makes stale whatever is not known to be newer.
func TestMarksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := markedFeed()
		before := userFact(f.start(), 3)
		f.take(changed(0), position{})
		between := userFact(f.start(), 3)
		var many []pdp.Change
		for i := range 2 * maxMarks {
			many = append(many, pdp.Change{Kind: pdp.UserChanged, ID: fmt.Sprint("user", i)})
		}
		f.take(many, position{})
		assert.LessOrEqual(t, len(f.marks.byKey), maxMarks)
		assert.LessOrEqual(t, len(f.marks.order), maxMarks)
		for _, e := range []*record{before, between} {
			v, _ := f.judge(e, time.Hour, time.Now())
			assert.Equal(t, stale, v)
		}
		v, _ := f.judge(userFact(f.start(), 3), time.Hour, time.Now())
		assert.Equal(t, good, v)
		time.Sleep(21 * time.Minute)
		f.take(changed(0), position{})
		assert.Len(t, f.marks.byKey, 1, "what no fact can be older than is forgotten")
	})
}

// TestAVersionOfOurOwnIsNotCompared with one that was announced: they count different things.
func TestAVersionOfOurOwnIsNotCompared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := markedFeed()
		began := f.start()
		began.made = true
		before := userFact(began, 1<<50)
		s.changed(announced{position{"e", 1}, changed(5)})
		v, _ := ageless(f, before)
		assert.Equal(t, stale, v)
		began = f.start()
		began.made = true
		v, _ = ageless(f, userFact(began, 3))
		assert.Equal(t, good, v)
	})
}
