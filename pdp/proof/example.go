package proof

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/proof/world"
)

// Example is a small directory, a question and the answer of the policy.
type Example struct {
	Directory json.RawMessage    `json:"directory,omitempty"` // nil: the policy judges by the question alone
	Question  authzen.Evaluation `json:"question"`
	Answer    string             `json:"answer,omitempty"` // an AuthZEN response, in JSON
	Error     string             `json:"error,omitempty"`  // instead of an answer

	cost int
}

// NewExample returns a case as an example that has not been asked yet.
func NewExample(c *world.Case) (*Example, error) {
	if len(c.Locations) == 0 {
		return &Example{Question: c.Question}, nil
	}
	directory, err := c.Directory()
	if err != nil {
		return nil, err
	}
	return &Example{Directory: directory, Question: c.Question}, nil
}

// Command returns the commands for a shell that ask the question of the example again; bundle is the path of the policy, "" for the
// built-in one.
func (e *Example) Command(bundle string) string {
	if e.Directory == nil {
		return e.Ask(bundle)
	}
	return fmt.Sprintf("echo %s >example.json\n%s", shell(string(e.Directory)), e.Ask(bundle))
}

// Ask returns the command for a shell that asks the question of the example about the directory in example.json.
func (e *Example) Ask(bundle string) string {
	if e.Directory == nil {
		return AskCommand(e.Question, "", bundle)
	}
	return AskCommand(e.Question, "example.json", bundle)
}

// AskCommand returns the command for a shell that asks a question about a directory in a file, "" for none; bundle is the path of the policy,
// "" for the built-in one.
func AskCommand(q authzen.Evaluation, directory, bundle string) string {
	words := []string{"wardkeeper ask", bare(q.Subject.ID), bare(q.Action.Name), shell(q.Resource.ID), "--type " + bare(q.Resource.Type)}
	if q.Subject.Type != "user" {
		words = append(words, "--subject-type "+shell(q.Subject.Type))
	}
	for _, part := range []struct {
		flag    string
		members map[string]any
	}{{"--set", q.Action.Properties}, {"--resource-set", q.Resource.Properties}, {"--subject-set", q.Subject.Properties}, {"--context", q.Context}} {
		for _, name := range slices.Sorted(maps.Keys(part.members)) {
			value, err := json.Marshal(part.members[name])
			if err != nil {
				panic(err) // what came from JSON goes back
			}
			words = append(words, part.flag+" "+shell(name+"="+string(value)))
		}
	}
	if directory != "" {
		words = append(words, "--directory "+bare(directory))
	}
	if bundle != "" {
		words = append(words, "--bundle "+shell(bundle))
	}
	return strings.Join(words, " ")
}

// bare quotes a word for a shell only if it needs that.
func bare(word string) string {
	special := func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/@", r)
	}
	if word == "" || word[0] == '-' || strings.ContainsFunc(word, special) {
		return shell(word)
	}
	return word
}

// askTimeout limits the evaluation of an example: far more than it needs.
const askTimeout = time.Minute

// askAbout asks a policy about a case. The error is that of the engine.
func askAbout(ctx context.Context, p *pdp.Policy, c *world.Case) (pdp.Decision, error) {
	view, err := c.View()
	if err != nil {
		return pdp.Decision{}, err
	}
	e := pdp.New(pdp.Config{Policy: p, Source: fixedSource{view}, Timeout: askTimeout, Logger: slog.New(slog.DiscardHandler)})
	return e.Decide(ctx, c.Question)
}

// shell quotes a word for a shell.
func shell(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
