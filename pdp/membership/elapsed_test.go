package membership

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestElapsedUsesTheClockThatAdvancedMore(t *testing.T) {
	now := time.Now()
	assert.Equal(t, time.Hour, Elapsed(now.Add(time.Hour), now))
	assert.Equal(t, time.Hour, Elapsed(now.Round(0).Add(time.Hour), now), "the machine was suspended: only the wall clock went on")
	assert.Zero(t, Elapsed(now, now.Round(0)))
}
