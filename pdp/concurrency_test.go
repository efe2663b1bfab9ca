package pdp_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
)

// The source swaps directories while many goroutines ask. Each decision, batch and page must be the answer of one
// directory or the other.
func TestAnswersDoNotMixDirectories(t *testing.T) {
	t.Parallel()
	before := generate(12)
	after := swapped(before)
	engine, source := administration(t)
	views := []facts.View{before.directory(t), after.directory(t)}

	var questions []func(*testing.T) string
	for _, r := range mixed(before, 40) {
		questions = append(questions,
			func(t *testing.T) string { return show(decide(t, engine, r)) },
			func(t *testing.T) string {
				outcomes, err := engine.DecideAll(context.Background(), []pdp.Item{{Request: r}, {Request: r}}, authzen.ExecuteAll)
				assert.NoError(t, err)
				return show(outcomes)
			})
	}
	for _, of := range lists(engine, before) {
		questions = append(questions, func(t *testing.T) string {
			f, r := of(&authzen.Page{Limit: new(1000), Properties: map[string]any{"sort": "username", "fields": []any{"status"}}})
			return show(search(t, f, r))
		})
	}

	wanted := make([][]string, len(questions))
	differ := 0
	for i, question := range questions {
		for _, view := range views {
			source.set(view)
			wanted[i] = append(wanted[i], question(t))
		}
		if wanted[i][0] != wanted[i][1] {
			differ++
		}
	}
	require.Greater(t, differ, 10, "the answers should differ between the directories")

	rounds, workers := 20, 8
	if fewerQuestions() {
		rounds = 4
	}
	if testing.Short() {
		rounds, workers = 1, 2
	}
	done := make(chan struct{})
	var swapping, asking sync.WaitGroup
	swapping.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
				source.set(views[i%2])
			}
		}
	})
	for worker := range workers {
		asking.Go(func() {
			for i := range rounds * len(questions) {
				n := (i*7 + worker*13) % len(questions)
				if got := questions[n](t); !slices.Contains(wanted[n], got) {
					assert.Fail(t, "the answer is of neither directory", "%s\nwanted one of %v", got, wanted[n])
					return
				}
			}
		})
	}
	asking.Wait()
	close(done)
	swapping.Wait()
}

// mixed returns questions whose answers differ between the directories.
func mixed(w *world, count int) []pdp.Request {
	asker := newQuestionGenerator(w, 12)
	all := make([]pdp.Request, count)
	for i := range all {
		all[i] = asker.question()
		all[i].Context = maps.Clone(all[i].Context)
	}
	return all
}

// swapped returns the same world with other roles, and with the status of some accounts reversed.
func swapped(w *world) *world {
	c := w.clone()
	for i, u := range c.Users {
		if i%3 == 0 {
			u.Status = map[bool]string{true: "deactivated", false: "active"}[isActive(u.Status)]
		}
		for j := range u.Assignments {
			a := &u.Assignments[j]
			if kind := c.byID(a.Location).Kind; kind == "facility" || kind == "entity" {
				a.Role = offered[kind][(slices.Index(offered[kind], a.Role)+1)%2]
			}
		}
	}
	return c
}

// Facts, standings and lists are built on first use, here by many goroutines at once.
func TestConcurrentFirstUseOfRecords(t *testing.T) {
	t.Parallel()
	w := generate(5)
	count := 100
	if testing.Short() {
		count = 20
	}
	questions := mixed(w, count)
	calm := over(t, w)
	wanted := make([]string, len(questions))
	for i, r := range questions {
		wanted[i] = show(decide(t, calm, r))
	}
	fresh := over(t, w) // no facts are built yet
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for i, r := range questions {
				assert.Equal(t, wanted[i], show(decide(t, fresh, r)), "question %d: %s", i, show(r))
			}
		})
	}
	asking.Wait()
}
