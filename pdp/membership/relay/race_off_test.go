//go:build !race

package relay_test

const defaultFleetSize = 50
