package benchscale

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// figure is what was measured, in the unit of its name, for each size that was measured.
type figure struct {
	name   string
	aim    float64 // 0: none
	values map[int]float64
}

// report has the figures in the order in which they were first measured, and the sizes in ascending order.
type report struct {
	folder  string // of the files; "" for none
	sizes   []int
	figures []*figure
}

func (r *report) add(size int, name string, aim, value float64) {
	if !slices.Contains(r.sizes, size) {
		r.sizes = append(r.sizes, size)
		slices.Sort(r.sizes)
	}
	i := slices.IndexFunc(r.figures, func(f *figure) bool { return f.name == name })
	if i < 0 {
		i = len(r.figures)
		r.figures = append(r.figures, &figure{name, aim, map[int]float64{}})
	}
	r.figures[i].values[size] = value
}

// latencies adds the median and the 99th percentile, in milliseconds; aim is for the latter.
func (r *report) latencies(size int, name string, aim float64, took []time.Duration) {
	sorted := slices.Sorted(slices.Values(took))
	at := func(p float64) float64 {
		return float64(sorted[max(int(math.Ceil(p*float64(len(sorted)))), 1)-1].Microseconds()) / 1000
	}
	r.add(size, name+", p50, ms", 0, at(0.5))
	r.add(size, name+", p99, ms", aim, at(0.99))
}

// pages adds what pages took, and the processor time that each took in the mean.
func (r *report) pages(size int, name string, aim float64, m measured) {
	r.latencies(size, name, aim, m.took)
	each := func(all time.Duration) float64 { return milliseconds(all) / float64(len(m.took)) }
	r.add(size, name+", processor time of PostgreSQL, ms", 0, each(m.database))
	r.add(size, name+", processor time of the sidecar, ms", 0, each(m.sidecar))
}

// measured is what a number of pages took.
type measured struct {
	took              []time.Duration
	database, sidecar time.Duration // processor time of all of them
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// write writes scale.md and scale.svg, with what has been measured so far.
func (r *report) write() error {
	if r.folder == "" {
		return nil
	}
	return errors.Join(os.WriteFile(filepath.Join(r.folder, "scale.md"), []byte(r.table()), 0o666),
		os.WriteFile(filepath.Join(r.folder, "scale.svg"), []byte(r.picture()), 0o666))
}

// table returns the figures as a table in Markdown. What misses its aim is bold.
func (r *report) table() string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 1, ' ', 0)
	row := func(cells ...string) { fmt.Fprintf(w, "| %s\t|\n", strings.Join(cells, "\t| ")) }
	head, rule := []string{"users"}, []string{"---"}
	for _, size := range r.sizes {
		head, rule = append(head, fmt.Sprint(size)), append(rule, "---:")
	}
	row(append(head, "aim")...)
	row(append(rule, "---:")...)
	for _, f := range r.figures {
		cells := []string{f.name}
		for _, size := range r.sizes {
			value, measured := f.values[size]
			cell := ""
			if measured {
				cell = number(value)
			}
			if measured && f.aim > 0 && value > f.aim {
				cell = "**" + cell + "**"
			}
			cells = append(cells, cell)
		}
		aim := ""
		if f.aim > 0 {
			aim = number(f.aim)
		}
		row(append(cells, aim)...)
	}
	_ = w.Flush() // to memory
	return out.String()
}

func number(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// The measures of the picture, in pixels.
const (
	plotWidth, plotHeight = 330, 130
	plotGap               = 50
	plotsInRow            = 3
)

// picture returns a plot for each figure as SVG: the number of users across, by powers of ten, and the figure up from zero. A dashed
// line is its aim.
func (r *report) picture() string {
	rows := (len(r.figures) + plotsInRow - 1) / plotsInRow
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n",
		plotsInRow*(plotWidth+plotGap)+plotGap, rows*(plotHeight+plotGap)+plotGap)
	out.WriteString(`<rect width="100%" height="100%" fill="white"/>` + "\n")
	for i, f := range r.figures {
		r.plot(&out, f, plotGap+i%plotsInRow*(plotWidth+plotGap), plotGap+i/plotsInRow*(plotHeight+plotGap))
	}
	out.WriteString("</svg>\n")
	return out.String()
}

func (r *report) plot(out *strings.Builder, f *figure, x, y int) {
	most := max(f.aim, 1e-9)
	for _, v := range f.values {
		most = max(most, v)
	}
	least, greatest := math.Log10(float64(slices.Min(r.sizes))), math.Log10(float64(slices.Max(r.sizes)))
	across := func(size int) float64 {
		return float64(x) + plotWidth*(math.Log10(float64(size))-least)/max(greatest-least, 1e-9)
	}
	up := func(v float64) float64 { return float64(y) + plotHeight*(1-v/most) }
	fmt.Fprintf(out, `<text x="%d" y="%d">%s</text><path d="M%d %dv%dh%d" fill="none" stroke="#888"/>`+"\n", x, y-8, f.name, x, y, plotHeight, plotWidth)
	if f.aim > 0 {
		fmt.Fprintf(out, `<path d="M%d %.1fh%d" stroke="#e08a2c" stroke-dasharray="4"/>`+"\n", x, up(f.aim), plotWidth)
	}
	var points []string
	for _, size := range slices.SortedFunc(slices.Values(r.sizes), cmp.Compare[int]) {
		if v, ok := f.values[size]; ok {
			points = append(points, fmt.Sprintf("%.1f,%.1f", across(size), up(v)))
			fmt.Fprintf(out, `<circle cx="%.1f" cy="%.1f" r="3" fill="#2f6fdf"/><text x="%.1f" y="%.1f" fill="#666">%s</text>`+"\n",
				across(size), up(v), across(size)+4, up(v)-4, number(v))
		}
	}
	fmt.Fprintf(out, `<polyline points="%s" fill="none" stroke="#2f6fdf"/>`+"\n", strings.Join(points, " "))
}
