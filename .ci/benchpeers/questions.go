//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/bundles"
	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
	"github.com/wardkeeper/wardkeeper/pdp/facts"
	"github.com/wardkeeper/wardkeeper/pdp/membership/directory"
	"github.com/wardkeeper/wardkeeper/pdp/proof"
	"github.com/wardkeeper/wardkeeper/policies"
)

const (
	decisionFiles = "testdata/decisions/*/*.yaml"
	sample        = "sample" // the directory of the questions
	directoryFile = "testdata/directories/" + sample + ".yaml"
)

// question is a golden decision, as each kind of server is asked for it.
type question struct {
	name   string
	answer authzen.Response
	asked  []byte // the body of an AuthZEN request
	input  []byte // the body of a request to OPA, which contains the facts
}

// goldenCase is a golden decision in a file.
type goldenCase struct {
	Name                         string
	Question                     map[string]any
	Decision                     bool
	Reasons, Obligations, Advice []any
}

// readQuestions returns golden decisions of all models about the sample directory, as many allows as denials.
func readQuestions(ctx context.Context, root string) (all []question, err error) {
	golden, err := readGolden(root)
	if err != nil {
		return nil, err
	}
	engine, err := openEngine(ctx, filepath.Join(root, directoryFile))
	if err != nil {
		return nil, err
	}
	for _, c := range balanced(golden) {
		q := question{name: c.Name}
		d := proof.GoldenDecision{Decision: &c.Decision, Reasons: c.Reasons, Obligations: c.Obligations, Advice: c.Advice}
		q.answer = d.Answer()
		if q.asked, err = json.Marshal(c.Question); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		evaluation, err := authzen.DecodeEvaluation(q.asked)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		input, err := engine.Input(ctx, evaluation)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		if q.input, err = json.Marshal(map[string]any{"input": input}); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		all = append(all, q)
	}
	return all, nil
}

// readGolden returns all golden decisions about the sample directory.
func readGolden(root string) (all []goldenCase, err error) {
	paths, err := filepath.Glob(filepath.Join(root, decisionFiles))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var file struct {
			Directory string
			Cases     []goldenCase
		}
		if err := yaml.Unmarshal(data, &file); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if file.Directory == sample {
			for _, c := range file.Cases {
				c.Name = path + ": " + c.Name
				all = append(all, c)
			}
		}
	}
	return all, nil
}

// balanced returns as many allows as denials, as many as there are of both, shuffled in the same way each time.
func balanced(all []goldenCase) (chosen []goldenCase) {
	random := rand.New(rand.NewPCG(1, 2))
	shuffle := func(cases []goldenCase) {
		random.Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
	}
	denials := slices.DeleteFunc(slices.Clone(all), func(c goldenCase) bool { return c.Decision })
	allows := slices.DeleteFunc(slices.Clone(all), func(c goldenCase) bool { return !c.Decision })
	n := min(len(allows), len(denials))
	shuffle(allows)
	shuffle(denials)
	chosen = slices.Concat(allows[:n], denials[:n])
	shuffle(chosen)
	return chosen
}

// openEngine returns an engine with the built-in policy over a directory file.
func openEngine(ctx context.Context, path string) (*pdp.Engine, error) {
	revision, err := bundles.Open(ctx, bundles.Config{Files: policies.Files(), Source: "built-in", Entrypoint: "authz/decision"})
	if err != nil {
		return nil, err
	}
	policy, err := pdp.Prepare(ctx, revision)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	view, err := directory.Parse(data, *policy.Vocabulary())
	return pdp.New(pdp.Config{Policy: policy, Source: fixedSource{view}}), err
}

// fixedSource is a source whose directory never changes.
type fixedSource struct{ view facts.View }

func (s fixedSource) View(context.Context, facts.Requirement) (facts.View, error) { return s.view, nil }

// decisionOf converts an answer of OPA to an AuthZEN response.
func decisionOf(body []byte) (authzen.Response, error) {
	var answer struct{ Result map[string]any }
	if err := json.Unmarshal(body, &answer); err != nil {
		return authzen.Response{}, err
	}
	allow, ok := answer.Result["allow"].(bool)
	if !ok {
		return authzen.Response{}, fmt.Errorf("it decides nothing: %s", body)
	}
	delete(answer.Result, "allow")
	for name, member := range answer.Result {
		if list, ok := member.([]any); ok && len(list) == 0 {
			delete(answer.Result, name)
		}
	}
	return authzen.Response{Decision: allow, Context: answer.Result}, nil
}

// same reports whether two responses say the same.
func same(a, b authzen.Response) bool {
	first, err := json.Marshal(a)
	second, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(first, second)
}
