//go:build !unix

package follow

import (
	"io/fs"
	"os"
)

func inode(fs.FileInfo) uint64 { return 0 }

func lockFile(*os.File) error { return nil }
