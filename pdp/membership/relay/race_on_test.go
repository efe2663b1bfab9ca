//go:build race

package relay_test

// defaultFleetSize is smaller under the race detector, which makes each sidecar take several times the processor time.
const defaultFleetSize = 12
