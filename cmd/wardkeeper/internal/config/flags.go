package config

import "github.com/spf13/pflag"

// FileFlag names the YAML file. It is a flag and a variable but not a key, because a file cannot name itself.
const FileFlag = "config"

// RegisterFlags adds a flag for each setting. The returned map holds the flags given on the command line, as written: [Load]
// parses them together with the file and the environment, so that all faults are reported together.
func RegisterFlags(flags *pflag.FlagSet) map[string]string {
	given := map[string]string{}
	flags.SortFlags = false
	flags.Var(&rawFlag{given: given, name: FileFlag, kind: "string"}, FileFlag, "YAML `FILE` of settings")
	Default().table().VisitAll(func(f *pflag.Flag) {
		raw := &rawFlag{given: given, name: f.Name, kind: f.Value.Type(), fallback: f.DefValue}
		flags.Var(raw, f.Name, f.Usage)
		flags.Lookup(f.Name).NoOptDefVal = f.NoOptDefVal
	})
	return given
}

// rawFlag is a [pflag.Value] that accepts any text. A list may be given in several flags.
type rawFlag struct {
	given                map[string]string
	name, kind, fallback string
}

// Set implements [pflag.Value].
func (f *rawFlag) Set(value string) error {
	if before, ok := f.given[f.name]; ok && f.kind == addrListType {
		value = before + addrSeparator + value
	}
	f.given[f.name] = value
	return nil
}

// Type implements [pflag.Value].
func (f *rawFlag) Type() string { return f.kind }

// String implements [pflag.Value].
func (f *rawFlag) String() string { return f.fallback }
