package decisionlog

import "fmt"

// Fault says where a log is broken first, and how. It is an error.
type Fault struct {
	File    string
	Line    int    // from 1; in a compressed segment, of its content
	Seq     uint64 // of the record in the line, or of the one that was expected there
	Problem string
}

// Error implements error.
func (f *Fault) Error() string {
	return fmt.Sprintf("%s, line %d, record %d: %s", f.File, f.Line, f.Seq, f.Problem)
}
