package tracing

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTraceID(t *testing.T) {
	const id = "0af7651916cd43dd8448eb211c80319c"
	for value, want := range map[string]string{
		"00-" + id + "-b7ad6b7169203331-01":                       id,
		"00-" + id + "-b7ad6b7169203331-00":                       id,
		"cc-" + id + "-b7ad6b7169203331-01":                       id,
		"cc-" + id + "-b7ad6b7169203331-01-of.a.later":            id,
		"00-" + id + "-b7ad6b7169203331-01-longer":                "",
		"cc-" + id + "-b7ad6b7169203331-01x":                      "",
		"ff-" + id + "-b7ad6b7169203331-01":                       "",
		"00-" + id + "-b7ad6b7169203331":                          "",
		"00-" + id + "-0000000000000000-01":                       "",
		"00-" + id + "-b7ad6b716920333g-01":                       "",
		"00-" + id + "-b7ad6b7169203331-0g":                       "",
		"0g-" + id + "-b7ad6b7169203331-01":                       "",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01": "",
		"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01": "",
		"": "", "jane.doe@example.org": "",
	} {
		assert.Equal(t, want, TraceID([]string{value}), value)
	}
	one := "00-" + id + "-b7ad6b7169203331-01"
	assert.Empty(t, TraceID(nil))
	assert.Empty(t, TraceID([]string{one, one}))
}

func FuzzTraceID(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Add("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x")
	f.Fuzz(func(t *testing.T, value string) {
		if id := TraceID([]string{value}); id != "" {
			assert.Regexp(t, "^[0-9a-f]{32}$", id)
		}
	})
}
