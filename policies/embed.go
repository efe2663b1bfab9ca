package policies

import (
	"embed"
	"io/fs"
)

//go:embed authz schemas
var files embed.FS

// Files is the tree of the built-in policy, with the tests that lie beside the rules.
func Files() fs.FS { return files }
