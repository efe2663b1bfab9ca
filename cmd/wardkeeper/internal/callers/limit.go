package callers

import (
	"time"

	"golang.org/x/time/rate"
)

// limit is the rate of one caller's requests. A nil limit is none.
type limit struct{ bucket *rate.Limiter }

func newLimit(perSecond, burst int) *limit {
	if perSecond <= 0 {
		return nil
	}
	if burst <= 0 {
		burst = perSecond
	}
	return &limit{rate.NewLimiter(rate.Limit(perSecond), burst)}
}

// take counts a request. It returns how long to wait before the next one if this one is too many, and 0 if it is not.
func (l *limit) take(now time.Time) time.Duration {
	if l == nil || l.bucket.AllowN(now, 1) {
		return 0
	}
	missing := 1 - l.bucket.TokensAt(now)
	return max(time.Millisecond, time.Duration(missing/float64(l.bucket.Limit())*float64(time.Second)))
}
