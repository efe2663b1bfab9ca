package outage

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestAnOutageBeginsOnceAndSaysHowLongItTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o Outage
		assert.Nil(t, o.Ended(), "there was none")
		for range 2 { // the second outage is counted anew
			o.Affected() // too late to belong to the one before
			assert.True(t, o.Failed())
			time.Sleep(3 * time.Second)
			assert.False(t, o.Failed())
			o.Affected()
			assert.Equal(t, []any{"lasted_ms", int64(3000), "failures", 3}, o.Ended())
			assert.Nil(t, o.Ended())
		}
	})
}
