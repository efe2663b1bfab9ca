package record

import (
	"strings"
	"time"
)

// parseTime parses exactly the times that RFC 3339 section 5.6 allows. time.Parse accepts some others: an hour of one
// digit, a comma before the fraction, and offsets of 24 hours or 60 minutes. It rejects small letters and leap seconds. A
// leap second becomes the second that follows it.
func parseTime(s string) (time.Time, bool) {
	const hour, second = len("2006-01-02T"), len("2006-01-02T15:04:")
	s = strings.ToUpper(s)
	if len(s) <= second+2 || s[hour+2] != ':' || strings.Contains(s, ",") || strings.Contains(s, "+24:") ||
		strings.Contains(s, "-24:") || strings.HasSuffix(s, ":60") {
		return time.Time{}, false
	}
	leap := s[second:second+2] == "60"
	if leap {
		s = s[:second] + "59" + s[second+2:]
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, false
	}
	if at = at.UTC(); !leap {
		return at, true
	}
	at = at.Add(time.Second)
	if at.Day() != 1 || at.Hour() != 0 || at.Minute() != 0 { // leap seconds end a month, in UTC
		return time.Time{}, false
	}
	return at, true
}
