package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/bundles/follow"
	"github.com/wardkeeper/wardkeeper/pdp/suggest"
)

// file reads the YAML file. It parses the text of each value through the same table as flags and variables, so that all layers
// accept the same spellings: a YAML decoder would read a timeout of 5 as nanoseconds. It returns an error if it can read none of them.
func (l *loader) file(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("cannot read the configuration file: %w", err)
	}
	var documents []*yaml.Node
	for d := yaml.NewDecoder(strings.NewReader(string(data))); ; {
		var n yaml.Node
		if err := d.Decode(&n); err != nil {
			if !errors.Is(err, io.EOF) {
				return fmt.Errorf("%s is not valid YAML: %s", path, yamlFault(err))
			}
			break
		}
		documents = append(documents, &n)
	}
	if len(documents) == 0 {
		return nil
	}
	root := documents[0].Content[0]
	if len(documents) > 1 || root.Kind != yaml.MappingNode && root.Tag != "!!null" {
		return fmt.Errorf("%s must be one mapping of settings to values, such as `addr: 127.0.0.1:8181`", path)
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		l.fileEntry(path, root.Content[i], root.Content[i+1], seen)
	}
	return nil
}

func (l *loader) fileEntry(path string, key, value *yaml.Node, seen map[string]int) {
	where := path + ":" + strconv.Itoa(key.Line)
	sections := []string{policyKey, membershipKey, callersKey, jwtKey, decisionLogKey}
	known := slices.Clone(sections)
	flag := ""
	l.table.VisitAll(func(f *pflag.Flag) {
		if f.Name == decisionLogFlags["dir"] || f.Name == decisionLogFlags["durability"] {
			return // they are members of decision_log
		}
		known = append(known, yamlKey(f.Name))
		if yamlKey(f.Name) == key.Value {
			flag = f.Name
		}
	})
	switch {
	case key.Value == FileFlag:
		l.fault("%s: a configuration file cannot name another: use --config or %s", where, Variable(FileFlag))
	case flag == "" && !slices.Contains(sections, key.Value):
		l.fault("%s: %q is not a setting: %scorrect or remove it", where, key.Value, suggest.DidYouMean("", key.Value, known))
	case seen[key.Value] > 0:
		l.fault("%s: %s is already set in line %d: remove one of them", where, key.Value, seen[key.Value])
	case key.Value == policyKey:
		l.policy(path, value)
	case key.Value == callersKey:
		l.callers(path, value)
	case key.Value == jwtKey:
		l.jwt(path, value)
	case key.Value == membershipKey:
		l.section(path, membershipKey, value, l.settings.Membership.table(), sectionNames)
	case key.Value == decisionLogKey:
		l.decisionLog(path, value)
	case l.table.Lookup(flag).Value.Type() == addrListType && isList(value):
		var addrs []string
		for _, addr := range value.Content {
			addrs = append(addrs, addr.Value)
		}
		l.set(flag, where+": "+key.Value, strings.Join(addrs, addrSeparator))
	case value.Kind != yaml.ScalarNode:
		l.fault("%s: %s must be a single value", where, key.Value)
	case value.Tag != "!!null": // a key without a value leaves the default
		l.set(flag, where+": "+key.Value, value.Value)
	}
	seen[key.Value] = key.Line
}

// isList reports whether a node is a list of single values.
func isList(n *yaml.Node) bool {
	return n.Kind == yaml.SequenceNode && !slices.ContainsFunc(n.Content, func(e *yaml.Node) bool { return e.Kind != yaml.ScalarNode })
}

// section reads a key that holds settings, and sections of settings.
func (l *loader) section(path, section string, value *yaml.Node, table *pflag.FlagSet, sections []string) {
	if value.Tag == "!!null" {
		return
	}
	known := slices.Clone(sections)
	table.VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	seen := map[string]int{}
	example := "ttl or timeout"
	if section == decisionLogKey {
		example = "dir"
	}
	l.eachSetting(path, section, "", value, example, sections, func(where, name string, value *yaml.Node) {
		key := section + "." + name
		f := table.Lookup(name)
		switch {
		case seen[name] > 0:
			l.fault("%s: %s is already set in line %d: remove one of them", where, key, seen[name])
		case f == nil:
			l.fault("%s: %q is not a setting: %scorrect or remove it", where, key, suggest.DidYouMean(section+".", name, known))
		case value.Kind != yaml.ScalarNode:
			l.fault("%s: %s must be a single value", where, key)
		case value.Tag != "!!null":
			spelled := key
			if flag := decisionLogFlags[name]; flag != "" && section == decisionLogKey {
				spelled = flag
			}
			l.settings.spellings[spelled] = where + ": " + key
			l.setIn(f, where+": "+key, value.Value)
		}
		seen[name] = value.Line
	})
}

// eachSetting calls visit for each setting of a mapping and of its sections.
func (l *loader) eachSetting(path, name, prefix string, value *yaml.Node, example string, sections []string, visit func(where, name string, value *yaml.Node)) {
	if value.Kind != yaml.MappingNode {
		l.fault("%s:%d: %s must have members, such as %s", path, value.Line, name, example)
		return
	}
	for i := 0; i+1 < len(value.Content); i += 2 {
		key, member := value.Content[i], value.Content[i+1]
		isSection := prefix == "" && slices.Contains(sections, key.Value)
		switch {
		case isSection && member.Tag == "!!null":
		case isSection:
			l.eachSetting(path, name+"."+key.Value, key.Value+".", member, example, sections, visit)
		default:
			visit(path+":"+strconv.Itoa(key.Line), prefix+key.Value, member)
		}
	}
}

// policyKey is a mapping with one member, bundle, whose members are those of [follow.Settings].
const policyKey = "policy"

func (l *loader) policy(path string, value *yaml.Node) {
	faults := len(l.faults)
	defer func() { l.settings.policyInvalid = len(l.faults) > faults }()
	if value.Tag == "!!null" {
		return
	}
	where := path + ":" + strconv.Itoa(value.Line)
	if value.Kind != yaml.MappingNode || len(value.Content) != 2 || value.Content[0].Value != "bundle" || value.Content[1].Kind != yaml.MappingNode {
		l.fault("%s: %s must have exactly one member, bundle, with members such as service and resource", where, policyKey)
		return
	}
	var bundle map[string]any
	if err := value.Content[1].Decode(&bundle); err != nil {
		l.fault("%s: policy.bundle: %s", where, yamlFault(err))
		return
	}
	data, err := json.Marshal(bundle)
	if err != nil {
		l.fault("%s: policy.bundle: %w", where, err)
		return
	}
	origin, err := follow.DecodeSettings(data)
	if err != nil {
		l.fault("%s: policy.bundle: %w", where, err)
		return
	}
	l.settings.PolicyBundle = &origin
}

// quotedValue matches the values that errors of the YAML decoder quote.
var quotedValue = regexp.MustCompile("'[^']*'|`[^`]*`")

// yamlFault returns the message of an error from the YAML decoder, without the values that it quotes: they may be passwords.
func yamlFault(err error) string {
	return quotedValue.ReplaceAllString(strings.TrimPrefix(err.Error(), "yaml: "), "(a value)")
}
