package tracing

// TraceID returns the id of the trace that a request belongs to, by the values of its traceparent field (W3C Trace Context,
// section 3.2). It is "" if the request has no parent, several, or a malformed one.
func TraceID(parents []string) string {
	if len(parents) != 1 {
		return ""
	}
	p := parents[0]
	const length = len("00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")
	switch {
	case len(p) < length, len(p) > length && (p[:2] == "00" || p[length] != '-'): // only later versions may be longer
	case p[2] != '-', p[35] != '-', p[52] != '-':
	case !isHex(p[:2]), p[:2] == "ff", !isHex(p[53:55]):
	case !isID(p[3:35]), !isID(p[36:52]):
	default:
		return p[3:35]
	}
	return ""
}

// isID reports whether s can be an id: hexadecimal, and not all zeros.
func isID(s string) bool {
	for i := range len(s) {
		if s[i] != '0' {
			return isHex(s)
		}
	}
	return false
}

func isHex(s string) bool {
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && (s[i] < 'a' || s[i] > 'f') {
			return false
		}
	}
	return true
}
