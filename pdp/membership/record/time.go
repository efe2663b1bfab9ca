package record

import "time"

// parseTime parses exactly the times that RFC 3339 section 5.6 allows. time.Parse accepts some others and rejects some
// of these. A leap second becomes the second that follows it.
func parseTime(s string) (time.Time, bool) {
	const pattern = "dddd-dd-ddtdd:dd:dd"
	if len(s) <= len(pattern) || !matches(s[:len(pattern)], pattern) {
		return time.Time{}, false
	}
	year, month, day := number(s[0:4]), number(s[5:7]), number(s[8:10])
	hour, minute, second := number(s[11:13]), number(s[14:16]), number(s[17:19])
	nanos, rest, ok := fraction(s[len(pattern):])
	offset, known := zone(rest)
	if !ok || !known || hour > 23 || minute > 59 || second > 60 {
		return time.Time{}, false
	}
	date := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if date.Year() != year || int(date.Month()) != month || date.Day() != day {
		return time.Time{}, false
	}
	at := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC).Add(-offset)
	if second == 60 && (at.Day() != 1 || at.Hour() != 0 || at.Minute() != 0) { // leap seconds end a month, in UTC
		return time.Time{}, false
	}
	return at, true
}

// matches reports whether s has a digit for each d of the pattern, t or T for each t, and equals it elsewhere.
func matches(s, pattern string) bool {
	for i := range len(pattern) {
		switch c := s[i]; pattern[i] {
		case 'd':
			if c < '0' || c > '9' {
				return false
			}
		case 't':
			if c != 't' && c != 'T' {
				return false
			}
		default:
			if c != pattern[i] {
				return false
			}
		}
	}
	return true
}

// number returns the value of decimal digits.
func number(s string) int {
	n := 0
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n
}

// fraction reads an optional fraction of a second, and drops digits below nanoseconds.
func fraction(s string) (nanos int, rest string, ok bool) {
	if s == "" || s[0] != '.' {
		return 0, s, true
	}
	end := 1
	for scale := 100_000_000; end < len(s) && '0' <= s[end] && s[end] <= '9'; end++ {
		nanos += scale * int(s[end]-'0')
		scale /= 10
	}
	return nanos, s[end:], end > 1
}

// zone reads the offset from UTC.
func zone(s string) (time.Duration, bool) {
	if s == "Z" || s == "z" {
		return 0, true
	}
	const pattern = "dd:dd"
	if len(s) != 1+len(pattern) || s[0] != '+' && s[0] != '-' || !matches(s[1:], pattern) {
		return 0, false
	}
	hours, minutes := number(s[1:3]), number(s[4:6])
	offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if s[0] == '-' {
		offset = -offset
	}
	return offset, hours <= 23 && minutes <= 59
}
