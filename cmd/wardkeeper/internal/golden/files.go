package golden

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

// The folders of a tree.
const (
	DecisionsFolder   = "decisions"   // files of decisions, in subfolders too
	DirectoriesFolder = "directories" // NAME.yaml is the directory that files of decisions call NAME
)

// File is a file of decisions: the policy's answers about one rule, over one directory.
type File struct {
	Path string `yaml:"-"` // below [DecisionsFolder]

	Rule      string    `yaml:"rule"`
	Directory string    `yaml:"directory"` // the name of a directory file
	Facts     yaml.Node `yaml:"facts"`     // the directory itself, instead of a name; neither if the policy needs no facts
	Cases     []Case    `yaml:"cases"`
}

// Case is a question and the complete answer to it.
type Case struct {
	Name        string         `yaml:"name"`
	Question    map[string]any `yaml:"question"`
	Decision    *bool          `yaml:"decision"`
	Reasons     []any          `yaml:"reasons"`
	Obligations []any          `yaml:"obligations"`
	Advice      []any          `yaml:"advice"`
}

// ReadTree reads all decisions of a tree and the directories that they name. Its error joins every fault.
func ReadTree(tree fs.FS) (*proof.Golden, error) {
	paths, err := Paths(tree)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no folder %s in it", DecisionsFolder)
	case err != nil:
		return nil, err
	}
	all := &proof.Golden{Directories: map[string]json.RawMessage{}, Decisions: []proof.GoldenDecision{}}
	var faults []error
	for _, at := range paths {
		file, err := Read(tree, at)
		if err == nil {
			err = file.addTo(all, tree)
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) == 0 && len(all.Decisions) == 0 {
		return nil, fmt.Errorf("there are no golden decisions: write some into %s/*.yaml", DecisionsFolder)
	}
	return all, errors.Join(faults...)
}

// Paths returns the path of every file of decisions below [DecisionsFolder], sorted.
func Paths(tree fs.FS) (paths []string, err error) {
	err = fs.WalkDir(tree, DecisionsFolder, func(at string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			paths = append(paths, strings.TrimPrefix(at, DecisionsFolder+"/"))
		}
		return err
	})
	return paths, err
}

// Read reads the file of decisions at a path below [DecisionsFolder]. Unknown keys are errors.
func Read(tree fs.FS, at string) (*File, error) {
	if path.Ext(at) != ".yaml" {
		return nil, fmt.Errorf("%s/%s is not a *.yaml file: rename or remove it", DecisionsFolder, at)
	}
	data, err := fs.ReadFile(tree, path.Join(DecisionsFolder, at))
	if err != nil {
		return nil, err
	}
	file := &File{Path: at}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(file); err != nil {
		return nil, fmt.Errorf("%s/%s: %s", DecisionsFolder, at, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	return file, nil
}

// IsPart reports whether a file of a tree, named by its path, is a part of the golden decisions.
func IsPart(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return path.Ext(name) == ".yaml" && (first == DecisionsFolder || first == DirectoriesFolder)
}

func (f *File) addTo(all *proof.Golden, tree fs.FS) error {
	where := DecisionsFolder + "/" + f.Path
	name, facts, err := f.DirectoryJSON(tree)
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	if name != "" {
		all.Directories[name] = facts
	}
	for _, c := range f.Cases {
		question, err := json.Marshal(c.Question)
		switch {
		case c.Name == "":
			return fmt.Errorf("%s: a case has no name", where)
		case err != nil:
			return fmt.Errorf("%s: %s: the question cannot be written as JSON: %w", where, c.Name, err)
		}
		all.Decisions = append(all.Decisions, proof.GoldenDecision{
			Name: strings.TrimSuffix(f.Path, ".yaml") + ": " + c.Name, Directory: name, Question: question,
			Decision: c.Decision, Reasons: c.Reasons, Obligations: c.Obligations, Advice: c.Advice,
		})
	}
	return nil
}

// DirectoryJSON returns the directory of the file as JSON, and a name that is unique in the tree. The name is "" if the file
// has no directory.
func (f *File) DirectoryJSON(tree fs.FS) (name string, data json.RawMessage, err error) {
	node := &f.Facts
	switch {
	case f.Directory != "" && node.Kind != 0:
		return "", nil, errors.New("there are both a directory and facts: remove one of them")
	case f.Directory == "" && node.Kind == 0:
		return "", nil, nil
	case f.Directory == "":
		name = "facts of " + strings.TrimSuffix(f.Path, ".yaml")
	default:
		name = f.Directory
		text, err := fs.ReadFile(tree, path.Join(DirectoriesFolder, name+".yaml"))
		if err != nil {
			return "", nil, fmt.Errorf("the directory %q: %w", name, err)
		}
		node = &yaml.Node{}
		if err := yaml.Unmarshal(text, node); err != nil {
			return "", nil, fmt.Errorf("the directory %q: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
		}
	}
	if data, err = toJSON(node); err != nil {
		return "", nil, fmt.Errorf("the directory %q: %w", name, err)
	}
	return name, data, nil
}

// toJSON converts YAML to JSON. A timestamp remains the text as written.
func toJSON(node *yaml.Node) ([]byte, error) {
	timestampsToText(node)
	var value any
	if err := node.Decode(&value); err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	return json.Marshal(value)
}

func timestampsToText(node *yaml.Node) {
	if node.Kind == yaml.ScalarNode && node.ShortTag() == "!!timestamp" {
		node.Tag = "!!str"
	}
	for _, child := range node.Content {
		timestampsToText(child)
	}
}
