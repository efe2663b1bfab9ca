//go:build linux

package main

import (
	"cmp"
	"math"
	"slices"
)

// measured has a number for each round.
type measured []float64

func (m measured) least() float64 { return slices.Min(m) }
func (m measured) most() float64  { return slices.Max(m) }

// median returns the number in the middle, or the mean of the two that are.
func (m measured) median() float64 {
	sorted, n := slices.Sorted(slices.Values(m)), len(m)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// percentile returns the least of the sorted values that p percent of them do not exceed.
func percentile[T cmp.Ordered](sorted []T, p float64) T {
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}
