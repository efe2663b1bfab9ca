package pep_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wardkeeper/wardkeeper/adapters/pep"
)

func TestTraceIsPassedOnAsOne(t *testing.T) {
	const parent, other = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for name, c := range map[string]struct {
		header http.Header
		want   pep.Trace
	}{
		"none":            {nil, pep.Trace{}},
		"one field":       {http.Header{"Traceparent": {parent}, "Tracestate": {"a=b,c=d"}}, pep.Trace{Traceparent: parent, Tracestate: "a=b,c=d"}},
		"several fields":  {http.Header{"Traceparent": {parent}, "Tracestate": {"a=b", " c=d , e=f", "", "\t,", "g=h,"}}, pep.Trace{Traceparent: parent, Tracestate: "a=b,c=d , e=f,g=h"}},
		"no parent":       {http.Header{"Tracestate": {"a=b"}}, pep.Trace{}},
		"two parents":     {http.Header{"Traceparent": {parent, other}, "Tracestate": {"a=b"}}, pep.Trace{}},
		"parents joined":  {http.Header{"Traceparent": {parent + "," + other}, "Tracestate": {"a=b"}}, pep.Trace{}},
		"a long parent":   {http.Header{"Traceparent": {parent + strings.Repeat("-x", 100)}}, pep.Trace{}},
		"a long state":    {http.Header{"Traceparent": {parent}, "Tracestate": {"a=" + strings.Repeat("x", 2<<10)}}, pep.Trace{Traceparent: parent}},
		"a state of 512":  {http.Header{"Traceparent": {parent}, "Tracestate": {"a=" + strings.Repeat("x", 510)}}, pep.Trace{Traceparent: parent, Tracestate: "a=" + strings.Repeat("x", 510)}},
		"a parent of two": {http.Header{"Traceparent": {"00 " + parent}}, pep.Trace{}},
	} {
		got := pep.NewTrace(c.header.Values)
		assert.Len(t, got.RequestID, 32, name)
		got.RequestID = ""
		assert.Equal(t, c.want, got, name)
	}
}
