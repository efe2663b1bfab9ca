package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress tells on stderr how far a long task is: nothing in its first second, then on a terminal one line that is
// written over every second, and elsewhere a line every ten seconds.
type progress struct {
	out      io.Writer
	terminal bool
	now      func() time.Time // a test has its own
	next     time.Time        // when there is something to tell again
	open     bool             // whether a line stands on the terminal that is to be written over
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, now: time.Now}
	if file, ok := out.(*os.File); ok {
		info, err := file.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	p.next = p.now().Add(time.Second)
	return p
}

// tell says how far the task is, if it is time to.
func (p *progress) tell(done, all int, what string) {
	p.line(fmt.Sprintf("%d of %s", done, counted(all, what)))
}

// count does where nobody knows how far it is to the end.
func (p *progress) count(done int, what string) { p.line(counted(done, what)) }

func (p *progress) line(told string) {
	now := p.now()
	if now.Before(p.next) {
		return
	}
	line := "wardkeeper: " + told
	if p.terminal {
		p.next, p.open = now.Add(time.Second), true
		fmt.Fprintf(p.out, "\r%s\x1b[K", line)
		return
	}
	p.next = now.Add(10 * time.Second)
	fmt.Fprintln(p.out, line)
}

// end clears the line.
func (p *progress) end() {
	if p.open {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	p.open = false
}
