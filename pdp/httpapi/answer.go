package httpapi

import (
	"maps"
	"slices"
	"strconv"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// appendDecision writes {"decision", "context"?} (section 6.2). A context with nothing in it is left out: clients
// compare exactly.
func appendDecision(out []byte, d *pdp.Decision) (_ []byte, err error) {
	out = strconv.AppendBool(append(out, `{"decision":`...), d.Allow)
	m := members{out: append(out, `,"context":`...)}
	m.list("reasons", d.Reasons)
	m.obligations(d.Obligations)
	m.list("advice", d.Advice)
	if len(d.Context) > 0 {
		for _, name := range slices.Sorted(maps.Keys(d.Context)) {
			if name == "reasons" && len(d.Reasons) > 0 || name == "obligations" && len(d.Obligations) > 0 ||
				name == "advice" && len(d.Advice) > 0 {
				continue // a name twice is no I-JSON; the decision's own lists win
			}
			m.value(name, d.Context[name])
		}
	}
	if m.err != nil {
		return out, m.err
	}
	if m.n == 0 {
		return append(out, '}'), nil
	}
	return append(m.out, "}}"...), nil
}

// members writes the members of an object.
type members struct {
	out []byte
	n   int
	err error // the first
}

func (m *members) name(name string) {
	c := byte(',')
	if m.n == 0 {
		c = '{'
	}
	m.n++
	m.out = append(authzen.AppendString(append(m.out, c), name), ':')
}

func (m *members) value(name string, v any) {
	if m.err == nil {
		m.name(name)
		m.out, m.err = authzen.AppendValue(m.out, v)
	}
}

// end closes the object.
func (m *members) end() ([]byte, error) {
	if m.n == 0 {
		m.out = append(m.out, '{')
	}
	return append(m.out, '}'), m.err
}

func (m *members) list(name string, l []any) {
	if len(l) > 0 {
		m.value(name, l)
	}
}

func (m *members) obligations(all []pdp.Obligation) {
	if len(all) > 0 && m.err == nil {
		m.name("obligations")
		m.out, m.err = appendObligations(m.out, all)
	}
}

// appendObligations writes obligations, each with its properties, if only {}.
func appendObligations(out []byte, all []pdp.Obligation) (_ []byte, err error) {
	sep := byte('[')
	for _, o := range all {
		out = authzen.AppendString(append(append(out, sep), `{"id":`...), o.ID)
		out = authzen.AppendString(append(out, `,"type":`...), o.Type)
		out = append(out, `,"properties":`...)
		if len(o.Properties) == 0 {
			out = append(out, "{}"...)
		} else if out, err = authzen.AppendValue(out, o.Properties); err != nil {
			return out, err
		}
		out = append(out, '}')
		sep = ','
	}
	return append(out, ']'), nil
}

// appendItemError writes the answer to a question of a batch that was malformed or failed: a denial (section 7.2.1).
func appendItemError(out []byte, f fault) []byte {
	out = append(out, `{"decision":false,"context":{"error":{"status":`...)
	out = strconv.AppendInt(out, int64(f.status), 10)
	out = authzen.AppendString(append(out, `,"message":`...), f.message)
	return append(out, "}}}"...)
}

// appendSearchResult writes {"page"?, "results"} (section 8.3), page first.
func appendSearchResult(out []byte, r *pdp.SearchResult) (_ []byte, err error) {
	out = append(out, '{')
	if p := r.Page; p != nil {
		out = authzen.AppendString(append(out, `"page":{"next_token":`...), p.NextToken)
		out = strconv.AppendInt(append(out, `,"count":`...), int64(p.Count), 10)
		if p.Total != nil {
			out = strconv.AppendInt(append(out, `,"total":`...), int64(*p.Total), 10)
		}
		out = append(out, "},"...)
	}
	out = append(out, `"results":[`...)
	for i := range r.Hits {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = appendHit(out, &r.Hits[i]); err != nil {
			return out, err
		}
	}
	return append(out, "]}"...), nil
}

func appendHit(out []byte, h *pdp.Hit) (_ []byte, err error) {
	if h.Name != "" {
		out = authzen.AppendString(append(out, `{"name":`...), h.Name)
	} else {
		out = authzen.AppendString(append(out, `{"type":`...), h.Type)
		out = authzen.AppendString(append(out, `,"id":`...), h.ID)
	}
	if len(h.Properties) > 0 {
		out = append(out, `,"properties":`...)
		if out, err = authzen.AppendValue(out, h.Properties); err != nil {
			return out, err
		}
	}
	if len(h.Obligations) > 0 {
		if out, err = appendObligations(append(out, `,"obligations":`...), h.Obligations); err != nil {
			return out, err
		}
	}
	return append(out, '}'), nil
}
