package nginxconf

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Directive is a directive, or a block if it has braces.
type Directive struct {
	Name  string
	Args  []Arg
	Block []*Directive // nil unless HasBlock
	File  string
	Line  int

	HasBlock bool

	raw string // the name as written, with quotes and escapes; "" means as in Name
}

// Arg is an argument.
type Arg struct {
	Text string // the value, without quotes and escapes
	raw  string // as written
}

// New returns a directive. The arguments must not contain spaces or characters of the syntax.
func New(name string, args ...string) *Directive {
	d := &Directive{Name: name}
	d.SetArgs(args...)
	return d
}

// SetArgs replaces the arguments. The new ones must not contain spaces or characters of the syntax.
func (d *Directive) SetArgs(args ...string) {
	d.Args = nil
	for _, text := range args {
		d.Args = append(d.Args, Arg{text, text})
	}
}

// Arg returns the text of argument i, or "" if there are fewer.
func (d *Directive) Arg(i int) string {
	if i >= len(d.Args) {
		return ""
	}
	return d.Args[i].Text
}

// All returns the directives in a block that have this name.
func (d *Directive) All(name string) []*Directive {
	var found []*Directive
	for _, child := range d.Block {
		if child.Name == name {
			found = append(found, child)
		}
	}
	return found
}

// Walk calls a function for every directive in a block, at any depth.
func (d *Directive) Walk(visit func(*Directive)) {
	for _, child := range d.Block {
		visit(child)
		child.Walk(visit)
	}
}

// Contains reports whether a block has a directive of this name, at any depth.
func (d *Directive) Contains(name string) bool {
	found := false
	d.Walk(func(child *Directive) { found = found || child.Name == name })
	return found
}

// Where returns the position for messages: FILE:LINE.
func (d *Directive) Where() string { return fmt.Sprintf("%s:%d", d.File, d.Line) }

// Load reads a file and the files that it includes. The result is a block without a name.
func Load(path string) (*Directive, error) {
	root := &Directive{HasBlock: true, File: path, Line: 1}
	var err error
	root.Block, err = load(path, filepath.Dir(path), 0)
	return root, err
}

// maxDepth limits how deeply files include each other.
const maxDepth = 10

func load(path, base string, depth int) ([]*Directive, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%s: files include each other too deep", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	p := &parser{text: string(data), file: path, line: 1}
	block, err := p.block(true)
	if err != nil {
		return nil, err
	}
	return include(block, base, depth)
}

// include replaces include directives with the content of the files.
func include(block []*Directive, base string, depth int) ([]*Directive, error) {
	var all []*Directive
	for _, d := range block {
		if d.HasBlock {
			var err error
			if d.Block, err = include(d.Block, base, depth); err != nil {
				return nil, err
			}
		}
		if d.Name != "include" {
			all = append(all, d)
			continue
		}
		pattern := d.Arg(0)
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(base, pattern)
		}
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 && !strings.ContainsAny(pattern, "*?[") {
			return nil, fmt.Errorf("%s: there is no file %s to include", d.Where(), pattern)
		}
		for _, file := range files {
			included, err := load(file, base, depth+1)
			if err != nil {
				return nil, err
			}
			all = append(all, included...)
		}
	}
	return all, nil
}

type parser struct {
	text, file string
	at, line   int
}

// token is an argument, or one of the characters ";", "{" and "}".
type token struct {
	arg   Arg
	delim byte // 0 for an argument
	line  int
}

var errEnd = errors.New("the end")

func (p *parser) fail(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", p.file, line, fmt.Sprintf(format, args...))
}

// block parses directives until the brace that ends them, or until the end of the file.
func (p *parser) block(top bool) ([]*Directive, error) {
	block := []*Directive{}
	for {
		t, err := p.next()
		switch {
		case errors.Is(err, errEnd):
			if !top {
				return nil, p.fail(p.line, "a block has no closing brace")
			}
			return block, nil
		case err != nil:
			return nil, err
		case t.delim == '}':
			if top {
				return nil, p.fail(t.line, "there is a closing brace too many")
			}
			return block, nil
		case t.delim != 0:
			return nil, p.fail(t.line, "there is an unexpected %q", t.delim)
		}
		d := &Directive{Name: t.arg.Text, raw: t.arg.raw, File: p.file, Line: t.line}
		if strings.HasSuffix(d.Name, "_by_lua_block") {
			return nil, p.fail(t.line, "%s has a program in it, which cannot be read here", d.Name)
		}
		if err := p.arguments(d); err != nil {
			return nil, err
		}
		block = append(block, d)
	}
}

func (p *parser) arguments(d *Directive) error {
	for {
		t, err := p.next()
		switch {
		case errors.Is(err, errEnd):
			return p.fail(d.Line, "%s has no semicolon after it", d.Name)
		case err != nil:
			return err
		case t.delim == ';':
			return nil
		case t.delim == '{':
			d.HasBlock = true
			d.Block, err = p.block(false)
			return err
		case t.delim == '}':
			return p.fail(d.Line, "%s has no semicolon after it", d.Name)
		}
		d.Args = append(d.Args, t.arg)
	}
}

func (p *parser) next() (token, error) {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; c {
		case '\n':
			p.line++
			p.at++
		case ' ', '\t', '\r':
			p.at++
		case '#':
			for p.at < len(p.text) && p.text[p.at] != '\n' {
				p.at++
			}
		case ';', '{', '}':
			p.at++
			return token{delim: c, line: p.line}, nil
		case '"', '\'':
			return p.quoted(c)
		default:
			return p.word()
		}
	}
	return token{}, errEnd
}

func (p *parser) quoted(quote byte) (token, error) {
	t, start := token{line: p.line}, p.at
	var text strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == quote:
			p.at++
			t.arg = Arg{text.String(), p.text[start:p.at]}
			if p.at < len(p.text) && !strings.ContainsRune(" \t\r\n;{)", rune(p.text[p.at])) {
				return t, p.fail(p.line, "there is no space after a quoted argument")
			}
			return t, nil
		case c == '\\' && p.at+1 < len(p.text):
			p.at++
			text.WriteString(escaped(p.text[p.at]))
		default:
			text.WriteByte(c)
		}
		if p.text[p.at] == '\n' {
			p.line++
		}
	}
	return t, p.fail(t.line, "a quoted argument has no end")
}

// escaped returns the text that a backslash followed by c stands for.
func escaped(c byte) string {
	switch c {
	case 't':
		return "\t"
	case 'r':
		return "\r"
	case 'n':
		return "\n"
	case '"', '\'', '\\', ' ', ';', '{', '}':
		return string(c)
	}
	return "\\" + string(c)
}

func (p *parser) word() (token, error) {
	t, start := token{line: p.line}, p.at
	var text strings.Builder
	variable := false // within ${}
	for ; p.at < len(p.text); p.at++ {
		c := p.text[p.at]
		switch {
		case c == '\\' && p.at+1 < len(p.text):
			p.at++
			text.WriteString(escaped(p.text[p.at]))
			continue
		case c == '{' && p.at > start && p.text[p.at-1] == '$':
			variable = true
		case c == '}' && variable:
			variable = false
		case strings.IndexByte(" \t\r\n;{", c) >= 0:
			t.arg = Arg{text.String(), p.text[start:p.at]}
			return t, nil
		}
		text.WriteByte(c)
	}
	t.arg = Arg{text.String(), p.text[start:p.at]}
	return t, nil
}

// String returns a block without a name as the text of a configuration.
func (d *Directive) String() string {
	var b strings.Builder
	for _, child := range d.Block {
		child.write(&b, "")
	}
	return b.String()
}

func (d *Directive) write(b *strings.Builder, indent string) {
	b.WriteString(indent + cmp.Or(d.raw, d.Name))
	for _, a := range d.Args {
		b.WriteString(" " + a.raw)
	}
	if !d.HasBlock {
		b.WriteString(";\n")
		return
	}
	b.WriteString(" {\n")
	for _, child := range d.Block {
		child.write(b, indent+"\t")
	}
	b.WriteString(indent + "}\n")
}
