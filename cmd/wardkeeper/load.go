package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/wardkeeper/wardkeeper/bundles"
)

// configFlag names the YAML file. It is a flag and a variable, and no key: a file cannot name itself.
const configFlag = "config"

// loadSettings lays file, environment and flags over the defaults. given has the values of flags as they were
// written. The settings come back even where there are faults, so that the rest of them can be judged too.
func loadSettings(environ []string, given map[string]string) (*settings, error) {
	l := loader{settings: defaultSettings()}
	l.table = l.settings.table()
	vars := map[string]string{}
	for _, e := range environ {
		if name, value, _ := strings.Cut(e, "="); value != "" { // an empty variable counts as none, as in compose files
			vars[name] = value
		}
	}
	file, ok := given[configFlag]
	if !ok {
		file = vars[variable(configFlag)]
	}
	if file != "" {
		l.file(file)
	}
	l.environment(vars)
	l.table.VisitAll(func(f *pflag.Flag) {
		if value, ok := given[f.Name]; ok {
			l.set(f.Name, "--"+f.Name, value)
		}
	})
	return l.settings, errors.Join(l.faults...)
}

type loader struct {
	settings *settings
	table    *pflag.FlagSet
	faults   []error
}

func (l *loader) fault(format string, args ...any) {
	l.faults = append(l.faults, fmt.Errorf(format, args...))
}

func (l *loader) set(flag, origin, value string) {
	l.settings.origins[flag] = origin
	l.setIn(l.table.Lookup(flag), origin, value)
}

// setIn sets an entry of a table of settings.
func (l *loader) setIn(f *pflag.Flag, origin, value string) {
	before := f.Value.String()
	if f.Value.Set(value) == nil {
		return
	}
	_ = f.Value.Set(before) // a failed Set leaves zero, which would be a second fault; what was there can be set
	switch f.Value.Type() {
	case "bool":
		l.fault("%s is %q: say true or false", origin, value)
	case "changes":
		l.fault("%s is %q: say some, or all where every change of the directory is announced", origin, value)
	case "size":
		l.fault("%s is %q: say a number with its unit, such as 64MiB or 1GiB", origin, value)
	case "int":
		l.fault("%s is %q: say a whole number", origin, value)
	case "duration":
		l.fault("%s is %q: say a number with its unit, such as 500ms, 10s or 2m", origin, value)
	default:
		l.fault("%s is %q: that is no %s", origin, value, f.Value.Type())
	}
}

// kubernetesLink matches the variables that Kubernetes makes in every pod for a service whose name begins with
// "wardkeeper". Nobody wrote them, so they are no faults.
var kubernetesLink = regexp.MustCompile(
	`^WARDKEEPER_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

func (l *loader) environment(vars map[string]string) {
	flags := map[string]string{}
	var known []string
	l.table.VisitAll(func(f *pflag.Flag) {
		flags[variable(f.Name)] = f.Name
		known = append(known, strings.TrimPrefix(variable(f.Name), envPrefix))
	})
	known = append(known, strings.TrimPrefix(variable(configFlag), envPrefix))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		value := vars[name]
		switch flag, ok := flags[name]; {
		case ok:
			l.set(flag, name, value)
		case !strings.HasPrefix(name, envPrefix) || name == variable(configFlag) || name == serverVariable:
		case kubernetesLink.MatchString(name), strings.HasSuffix(name, "_PORT") && strings.Contains(value, "://"):
		default:
			l.fault("%s is no setting: %sunset it", name,
				didYouMean(envPrefix, strings.TrimPrefix(name, envPrefix), known))
		}
	}
}

func (l *loader) file(path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		l.fault("the configuration cannot be read: %w", err)
		return
	}
	// Every value is set as it is written, through the same table as flags and variables, so that the three cannot
	// differ in what they take (a plain YAML decoder would read a time-out of 5 as nanoseconds).
	var documents []*yaml.Node
	for d := yaml.NewDecoder(strings.NewReader(string(data))); ; {
		var n yaml.Node
		if err := d.Decode(&n); err != nil {
			if !errors.Is(err, io.EOF) {
				l.fault("%s is no YAML: %s", path, yamlFault(err))
				return
			}
			break
		}
		documents = append(documents, &n)
	}
	if len(documents) == 0 {
		return
	}
	root := documents[0].Content[0]
	if len(documents) > 1 || root.Kind != yaml.MappingNode && root.Tag != "!!null" {
		l.fault("%s must be one mapping of settings to values, such as `addr: 127.0.0.1:8181`", path)
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		l.fileEntry(path, root.Content[i], root.Content[i+1], seen)
	}
}

func (l *loader) fileEntry(path string, key, value *yaml.Node, seen map[string]int) {
	where := path + ":" + strconv.Itoa(key.Line)
	var known []string
	flag := ""
	l.table.VisitAll(func(f *pflag.Flag) {
		known = append(known, yamlKey(f.Name), policyKey, membershipKey)
		if yamlKey(f.Name) == key.Value {
			flag = f.Name
		}
	})
	switch {
	case key.Value == configFlag:
		l.fault("%s: a configuration cannot name another: give --config or %s instead", where, variable(configFlag))
	case flag == "" && key.Value != policyKey && key.Value != membershipKey:
		l.fault("%s: %q is no setting: %sremove it", where, key.Value, didYouMean("", key.Value, known))
	case seen[key.Value] > 0:
		l.fault("%s: %s was set in line %d already: remove one of them", where, key.Value, seen[key.Value])
	case key.Value == policyKey:
		l.policy(path, value)
	case key.Value == membershipKey:
		l.membership(path, value)
	case value.Kind != yaml.ScalarNode:
		l.fault("%s: %s must be a single value", where, key.Value)
	case value.Tag != "!!null": // a key without a value leaves the default
		l.set(flag, where+": "+key.Value, value.Value)
	}
	seen[key.Value] = key.Line
}

// policyKey is the one key whose value is more than a single one: policy.bundle says where bundles come from.
const policyKey = "policy"

func (l *loader) policy(path string, value *yaml.Node) {
	faults := len(l.faults)
	defer func() { l.settings.policyFaulty = len(l.faults) > faults }()
	if value.Tag == "!!null" {
		return
	}
	where := path + ":" + strconv.Itoa(value.Line)
	if value.Kind != yaml.MappingNode || len(value.Content) != 2 || value.Content[0].Value != "bundle" || value.Content[1].Kind != yaml.MappingNode {
		l.fault("%s: %s must have the one member bundle, with members such as service and resource", where, policyKey)
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
	if _, err := bundles.DecodeOrigin(data); err != nil {
		l.fault("%s: policy.bundle: %w", where, err)
		return
	}
	l.settings.policyBundle = data
}
