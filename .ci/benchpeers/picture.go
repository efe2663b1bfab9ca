//go:build linux

package main

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// Colors of bars.
const (
	gray   = "#8a8f98"
	blue   = "#2f6fdf"
	orange = "#e08a2c"
)

// Measures of the picture, in pixels.
const (
	labelWidth = 250
	panelWidth = 220
	barWidth   = 125 // of the greatest number; the median is written beside the bar
	rowHeight  = 24
	headHeight = 70
)

// panel is a column of bars, one for each server, or two, of which the second is paler.
type panel struct {
	title, unit string
	bars        func(*server) []measured
	text        func(*server) string
}

var panels = []panel{
	{"processor time", "µs per request, lower is better", func(s *server) []measured { return []measured{s.cpu} },
		func(s *server) string { return count(s.cpu.median()) }},
	{"throughput", "requests per second, higher is better", func(s *server) []measured { return []measured{s.rate} },
		func(s *server) string { return count(s.rate.median()) }},
	{"latency at half of it", "ms, p50 and p99, lower is better", func(s *server) []measured { return []measured{s.p50, s.p99} },
		func(s *server) string { return fmt.Sprintf("%.2f, %.2f", s.p50.median(), s.p99.median()) }},
	{"resident set", "MiB, lower is better", func(s *server) []measured { return []measured{s.memory} },
		func(s *server) string { return fmt.Sprintf("%.0f", s.memory.median()) }},
}

// picture returns an SVG document: the medians as bars, with a line from the least to the most of the rounds.
func picture(setting string, all []*server) string {
	groups := byCollector(all)
	width, height := labelWidth+len(panels)*panelWidth+10, headHeight+rowHeight*(len(all)+len(groups))+30
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12" fill="#222">`+"\n",
		width, height, width, height)
	fmt.Fprintf(&out, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	text(&out, 10, 20, `font-size="15" font-weight="bold"`, "Decision points side by side")
	for i, p := range panels {
		text(&out, labelWidth+i*panelWidth, 44, `font-weight="bold"`, p.title)
		text(&out, labelWidth+i*panelWidth, 60, `font-size="11" fill="#666"`, p.unit)
	}
	y := headHeight
	for _, group := range groups {
		text(&out, 10, y+17, `font-weight="bold" fill="#666"`, heading(group[0].gogc))
		y += rowHeight
		for _, s := range group {
			text(&out, 10, y+16, "", s.title)
			for i, p := range panels {
				p.draw(&out, labelWidth+i*panelWidth, y, s, p.greatest(all))
			}
			y += rowHeight
		}
	}
	text(&out, 10, y+20, `font-size="11" fill="#666"`, setting+"; lines: least to most")
	out.WriteString("</svg>\n")
	return out.String()
}

// greatest returns the greatest number of a panel, or almost 0 if all are 0.
func (p panel) greatest(all []*server) float64 {
	greatest := 1e-9
	for _, s := range all {
		for _, m := range p.bars(s) {
			greatest = max(greatest, m.most())
		}
	}
	return greatest
}

// draw draws the bars of a server at a place, and their figures.
func (p panel) draw(out *strings.Builder, x, y int, s *server, greatest float64) {
	scale := func(value float64) float64 { return value / greatest * barWidth }
	bars := p.bars(s)
	height, end := 16/len(bars), 0.0
	for i, m := range bars {
		top := y + 4 + i*height
		fmt.Fprintf(out, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s" opacity="%.2f"/>`+"\n", x, top, scale(m.median()), height-1, s.color, 1-0.45*float64(i))
		fmt.Fprintf(out, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%[3]d" stroke="#222" stroke-width="1"/>`+"\n",
			float64(x)+scale(m.least()), float64(x)+scale(m.most()), top+height/2)
		end = max(end, scale(m.most()))
	}
	text(out, x+int(end)+5, y+16, "", p.text(s))
}

func text(out *strings.Builder, x, y int, attributes, content string) {
	fmt.Fprintf(out, `<text x="%d" y="%d" %s>`, x, y, attributes)
	_ = xml.EscapeText(out, []byte(content)) // a strings.Builder does not fail
	out.WriteString("</text>\n")
}
