//go:build !linux

package rotation

import "os"

// beingWritten reports that it is not known: this system cannot tell.
func beingWritten(*os.File) (writing, known bool) { return false, false }
