package policies

import (
	"embed"
	"io/fs"
)

//go:embed authz schemas
var files embed.FS

// Files returns the tree of the built-in policy, including the tests beside the rules.
func Files() fs.FS { return files }
