package config

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/wardkeeper/wardkeeper/pdp/suggest"
)

// Load reads the settings: the YAML file over the defaults, environ over the file, flags over environ. flags holds the flags
// that were given, by name, as written. The error joins every fault. Load returns the settings even then, so that the valid
// ones can be checked too, unless it is a [*FileError].
func Load(environ []string, flags map[string]string) (*Settings, error) {
	l := loader{settings: Default()}
	l.table = l.settings.table()
	variables := map[string]string{}
	for _, e := range environ {
		if name, value, _ := strings.Cut(e, "="); value != "" { // an empty variable counts as unset, as in compose files
			variables[name] = value
		}
	}
	file, ok := flags[FileFlag]
	if !ok {
		file = variables[Variable(FileFlag)]
	}
	if file != "" {
		if err := l.file(file); err != nil {
			return l.settings, &FileError{err}
		}
	}
	l.environment(variables)
	l.settings.DecisionLog.openTelemetry(variables)
	l.table.VisitAll(func(f *pflag.Flag) {
		if value, ok := flags[f.Name]; ok {
			l.set(f.Name, "--"+f.Name, value)
		}
	})
	return l.settings, errors.Join(l.faults...)
}

// FileError says that nothing of the YAML file could be read. What other settings lack may be in it.
type FileError struct{ err error }

func (e *FileError) Error() string { return e.err.Error() }

// Unwrap returns why.
func (e *FileError) Unwrap() error { return e.err }

// loader collects settings and faults while the layers are read.
type loader struct {
	settings *Settings
	table    *pflag.FlagSet
	faults   []error
}

func (l *loader) fault(format string, args ...any) {
	l.faults = append(l.faults, fmt.Errorf(format, args...))
}

func (l *loader) set(flag, spelling, value string) {
	l.settings.spellings[flag] = spelling
	l.setIn(l.table.Lookup(flag), spelling, value)
}

// setIn parses a value into an entry of a table.
func (l *loader) setIn(f *pflag.Flag, spelling, value string) {
	before := f.Value.String()
	if f.Value.Set(value) == nil {
		return
	}
	_ = f.Value.Set(before) // a failed Set leaves zero, which Validate would report as another fault
	switch f.Value.Type() {
	case "bool":
		l.fault("%s is %q: use true or false", spelling, value)
	case "announced":
		l.fault("%s is %q: use some, or all if every change to the directory is announced", spelling, value)
	case "size":
		l.fault("%s is %q: use a number with a unit, such as 64MiB or 1GiB", spelling, value)
	case "mode":
		l.fault("%s is %q: use an octal number that lets the owner read and write, such as 0660", spelling, value)
	case "int":
		l.fault("%s is %q: use a whole number", spelling, value)
	case "duration":
		l.fault("%s is %q: use a number with a unit, such as 500ms, 10s or 2m", spelling, value)
	default:
		l.fault("%s is %q: it is not a valid %s", spelling, value, f.Value.Type())
	}
}

// kubernetesLink matches the variables that Kubernetes sets in every pod for a service whose name begins with "wardkeeper".
var kubernetesLink = regexp.MustCompile(
	`^WARDKEEPER_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

func (l *loader) environment(variables map[string]string) {
	flags := map[string]string{}
	var known []string
	l.table.VisitAll(func(f *pflag.Flag) {
		flags[Variable(f.Name)] = f.Name
		known = append(known, strings.TrimPrefix(Variable(f.Name), envPrefix))
	})
	known = append(known, strings.TrimPrefix(Variable(FileFlag), envPrefix))
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		value := variables[name]
		switch flag, ok := flags[name]; {
		case ok:
			l.set(flag, name, value)
		case !strings.HasPrefix(name, envPrefix) || name == Variable(FileFlag) || name == ServerVariable:
		case kubernetesLink.MatchString(name), strings.HasSuffix(name, "_PORT") && strings.Contains(value, "://"):
		default:
			l.fault("%s is not a setting: %sunset it", name,
				suggest.DidYouMean(envPrefix, strings.TrimPrefix(name, envPrefix), known))
		}
	}
}
