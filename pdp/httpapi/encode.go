package httpapi

import (
	"maps"
	"slices"
	"strconv"

	"github.com/wardkeeper/wardkeeper/pdp"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// appendDecision appends {"decision", "context"?} (pdp/authzen/PROTOCOL.md section 6). It omits an empty context,
// because clients compare responses exactly.
func appendDecision(out []byte, d *pdp.Decision) (_ []byte, err error) {
	out = strconv.AppendBool(append(out, `{"decision":`...), d.Allow)
	w := authzen.ObjectWriter{Buf: append(out, `,"context":`...)}
	if len(d.Reasons) > 0 {
		w.Value("reasons", d.Reasons)
	}
	if len(d.Obligations) > 0 && w.Err == nil {
		w.Name("obligations")
		w.Buf, w.Err = appendObligations(w.Buf, d.Obligations)
	}
	if len(d.Advice) > 0 {
		w.Value("advice", d.Advice)
	}
	if len(d.Context) > 0 {
		for _, name := range slices.Sorted(maps.Keys(d.Context)) {
			if name == "reasons" && len(d.Reasons) > 0 || name == "obligations" && len(d.Obligations) > 0 ||
				name == "advice" && len(d.Advice) > 0 {
				continue // names must be unique; the decision's own lists take precedence
			}
			w.Value(name, d.Context[name])
		}
	}
	switch {
	case w.Err != nil:
		return out, w.Err
	case w.Empty():
		return append(out, '}'), nil
	}
	out, err = w.Close()
	return append(out, '}'), err
}

// appendObligations appends obligations. Each has properties, even if empty.
func appendObligations(out []byte, obligations []pdp.Obligation) (_ []byte, err error) {
	sep := byte('[')
	for _, o := range obligations {
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

// appendItemError appends the denial for an item of a batch that was malformed or failed
// (pdp/authzen/PROTOCOL.md section 7).
func appendItemError(out []byte, e httpError) []byte {
	out = append(out, `{"decision":false,"context":{"error":{"status":`...)
	out = strconv.AppendInt(out, int64(e.status), 10)
	out = authzen.AppendString(append(out, `,"message":`...), e.message)
	return append(out, "}}}"...)
}

// appendSearchResult appends {"page"?, "results"} in this order (pdp/authzen/PROTOCOL.md section 8).
func appendSearchResult(out []byte, r *pdp.SearchResult) (_ []byte, err error) {
	out = append(out, '{')
	if p := r.Page; p != nil {
		out = authzen.AppendString(append(out, `"page":{"next_token":`...), p.NextToken)
		out = strconv.AppendInt(append(out, `,"count":`...), int64(p.Count), 10)
		if p.Total != nil {
			out = strconv.AppendInt(append(out, `,"total":`...), int64(*p.Total), 10)
		}
		for i, id := range p.Incomplete {
			out = authzen.AppendString(append(out, [...]string{`,"properties":{"incomplete":[`, `,`}[min(i, 1)]...), id)
		}
		if len(p.Incomplete) > 0 {
			out = append(out, "]}"...)
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
