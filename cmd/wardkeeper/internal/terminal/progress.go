package terminal

import (
	"fmt"
	"io"
	"os"
	"time"
)

// Progress reports the progress of a long task. It writes nothing in the first second. After that it overwrites one line every
// second on a terminal, or writes a new line every ten seconds elsewhere. It is not safe for concurrent use.
type Progress struct {
	out      io.Writer
	terminal bool
	now      func() time.Time // replaced in tests
	next     time.Time        // of the next line
	pending  bool             // a line to be overwritten is on the terminal
}

// NewProgress starts the report of a task.
func NewProgress(out io.Writer) *Progress {
	p := &Progress{out: out, now: time.Now, terminal: Is(out)}
	p.next = p.now().Add(time.Second)
	return p
}

// Is reports whether what is written appears on a terminal, so that lines can be overwritten.
func Is(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Of reports that done of a total have been processed.
func (p *Progress) Of(done, total int, noun string) {
	p.line(fmt.Sprintf("%d of %s", done, Count(total, noun)))
}

// Count reports that done have been processed, if the total is unknown.
func (p *Progress) Count(done int, noun string) { p.line(Count(done, noun)) }

// Say reports the progress in words.
func (p *Progress) Say(text string) { p.line(text) }

func (p *Progress) line(text string) {
	now := p.now()
	if now.Before(p.next) {
		return
	}
	line := "wardkeeper: " + text
	if p.terminal {
		p.next, p.pending = now.Add(time.Second), true
		fmt.Fprintf(p.out, "\r%s\x1b[K", line)
		return
	}
	p.next = now.Add(10 * time.Second)
	fmt.Fprintln(p.out, line)
}

// Clear removes the line from the terminal.
func (p *Progress) Clear() {
	if p.pending {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	p.pending = false
}
