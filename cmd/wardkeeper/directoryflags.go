package main

import (
	"errors"

	"github.com/spf13/pflag"

	"github.com/wardkeeper/wardkeeper/cmd/wardkeeper/internal/config"
)

// directoryHelp says which directories commands take.
const directoryHelp = `--directory names a file, or what "serve" takes: postgres://HOST/DATABASE or https://HOST/PATH. Credentials, TLS and tables of these
two come from the settings of "serve" (--config FILE, or WARDKEEPER_CONFIG); a password of the database can also come from PGPASSWORD
or PGPASSFILE.`

// directoryFlags name a directory.
type directoryFlags struct{ directory, config string }

func (f *directoryFlags) register(flags *pflag.FlagSet, usage string) {
	flags.StringVar(&f.directory, "directory", "", usage)
	flags.StringVar(&f.config, config.FileFlag, "", "YAML `FILE` with the settings of serve, for a directory that is no file")
}

// isFile reports whether the directory is a file.
func (f *directoryFlags) isFile() bool { return config.KindOf(f.directory) == config.FileDirectory }

// membershipSettings loads the settings of serve as far as they are about reading a directory; "" is theirs.
func membershipSettings(p process, file, directory string) (*config.Settings, error) {
	given := map[string]string{}
	if file != "" {
		given[config.FileFlag] = file
	}
	s, err := config.Load(p.environ, given)
	if directory != "" {
		s.Directory = directory
	}
	if s.Directory == "" && err == nil {
		return nil, errors.New("FILE is missing: name a file or an address, or set the directory in the settings")
	}
	s.Redis, s.ChangesTokenFile, s.Membership.Announced = "", "", config.AnnouncedSome // not used here
	return s, errors.Join(err, s.ValidateMembership())
}
