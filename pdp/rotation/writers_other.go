//go:build !linux

package rotation

import "os"

// beingWritten is unknown on this system.
func beingWritten(*os.File) (writing, known bool) { return false, false }
