package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/pdp/proof"
)

// The folders of golden decisions as people write them.
const (
	decisionsFolder   = "decisions"   // files of decisions, in any folder
	directoriesFolder = "directories" // NAME.yaml is the directory that they call NAME
)

// golden is a file of decisions: what the policy answers about one rule, over one directory.
type golden struct {
	path string // below the folder of decisions

	Rule      string       `yaml:"rule"`
	Directory string       `yaml:"directory"` // a file of the folder of directories, or else
	Facts     yaml.Node    `yaml:"facts"`     // the directory itself; neither, where the policy judges without one
	Cases     []goldenCase `yaml:"cases"`
}

// goldenCase is one question and the whole answer to it.
type goldenCase struct {
	Name        string         `yaml:"name"`
	Question    map[string]any `yaml:"question"`
	Decision    *bool          `yaml:"decision"`
	Reasons     []any          `yaml:"reasons"`
	Obligations []any          `yaml:"obligations"`
	Advice      []any          `yaml:"advice"`
}

// readGoldenTree reads all decisions below a folder, with the directories that they name. Its error has every fault.
func readGoldenTree(files fs.FS) (*proof.Golden, error) {
	paths, err := goldenFiles(files)
	if err != nil {
		return nil, err
	}
	all := &proof.Golden{Directories: map[string]json.RawMessage{}, Decisions: []proof.GoldenDecision{}}
	var faults []error
	for _, at := range paths {
		file, err := readGoldenFile(files, at)
		if err == nil {
			err = file.addTo(all, files)
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) == 0 && len(all.Decisions) == 0 {
		return nil, fmt.Errorf("there are no golden decisions: write some into %s/*.yaml", decisionsFolder)
	}
	return all, errors.Join(faults...)
}

// goldenFiles gives every file of decisions, sorted, as its path below their folder.
func goldenFiles(files fs.FS) (paths []string, err error) {
	err = fs.WalkDir(files, decisionsFolder, func(at string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			paths = append(paths, strings.TrimPrefix(at, decisionsFolder+"/"))
		}
		return err
	})
	return paths, err
}

// readGoldenFile reads a file of decisions strictly.
func readGoldenFile(files fs.FS, at string) (*golden, error) {
	if path.Ext(at) != ".yaml" {
		return nil, fmt.Errorf("%s/%s is no *.yaml: rename it, or take it away", decisionsFolder, at)
	}
	data, err := fs.ReadFile(files, path.Join(decisionsFolder, at))
	if err != nil {
		return nil, err
	}
	file := &golden{path: at}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(file); err != nil {
		return nil, fmt.Errorf("%s/%s: %s", decisionsFolder, at, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	return file, nil
}

func (g *golden) addTo(all *proof.Golden, files fs.FS) error {
	where := decisionsFolder + "/" + g.path
	name, facts, err := g.facts(files)
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	if name != "" {
		all.Directories[name] = facts
	}
	for _, c := range g.Cases {
		question, err := json.Marshal(c.Question)
		switch {
		case c.Name == "":
			return fmt.Errorf("%s: a case has no name", where)
		case err != nil:
			return fmt.Errorf("%s: %s: the question is no JSON: %w", where, c.Name, err)
		}
		all.Decisions = append(all.Decisions, proof.GoldenDecision{
			Name: strings.TrimSuffix(g.path, ".yaml") + ": " + c.Name, Directory: name, Question: question,
			Decision: c.Decision, Reasons: c.Reasons, Obligations: c.Obligations, Advice: c.Advice,
		})
	}
	return nil
}

// facts is the directory of the file as JSON, under a name that is its own; "" where the policy judges without one.
func (g *golden) facts(files fs.FS) (name string, facts json.RawMessage, err error) {
	node := &g.Facts
	switch {
	case g.Directory != "" && node.Kind != 0:
		return "", nil, errors.New("there are both a directory and facts: leave one of them out")
	case g.Directory == "" && node.Kind == 0:
		return "", nil, nil
	case g.Directory == "":
		name = "facts of " + strings.TrimSuffix(g.path, ".yaml")
	default:
		name = g.Directory
		data, err := fs.ReadFile(files, path.Join(directoriesFolder, name+".yaml"))
		if err != nil {
			return "", nil, fmt.Errorf("the directory %q: %w", name, err)
		}
		node = &yaml.Node{}
		if err := yaml.Unmarshal(data, node); err != nil {
			return "", nil, fmt.Errorf("the directory %q: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
		}
	}
	if facts, err = jsonOf(node); err != nil {
		return "", nil, fmt.Errorf("the directory %q: %w", name, err)
	}
	return name, facts, nil
}

// jsonOf is YAML as JSON. What looks like a time stays the text that was written.
func jsonOf(node *yaml.Node) ([]byte, error) {
	timesAsText(node)
	var value any
	if err := node.Decode(&value); err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	return json.Marshal(value)
}

func timesAsText(node *yaml.Node) {
	if node.Kind == yaml.ScalarNode && node.ShortTag() == "!!timestamp" {
		node.Tag = "!!str"
	}
	for _, child := range node.Content {
		timesAsText(child)
	}
}
