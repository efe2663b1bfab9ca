package policies

import (
	"embed"
	"io/fs"
)

//go:embed authz schemas
var files embed.FS

// Files returns the tree of the built-in policy, including the tests beside the rules.
func Files() fs.FS { return files }

//go:embed properties.yaml
var properties []byte

// Properties returns what has to hold of the built-in policy in every case, in YAML.
func Properties() []byte { return properties }
