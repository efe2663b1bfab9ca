//go:build !linux

package rotation

import "os"

// beingWritten cannot be known here.
func beingWritten(*os.File) (writing, known bool) { return false, false }
