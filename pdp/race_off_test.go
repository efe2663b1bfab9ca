//go:build !race

package pdp_test

// racing says that the race detector slows everything down: the generated tests then take fewer questions.
const racing = false
