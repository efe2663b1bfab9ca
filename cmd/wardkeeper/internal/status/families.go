package status

import (
	"maps"
	"math"
	"slices"

	dto "github.com/prometheus/client_model/go"
)

// families are metrics by name. A metric that a server does not have counts as 0.
type families map[string]*dto.MetricFamily

func (f families) has(name string) bool { return f[name] != nil }

// sum returns the sum of the metrics of a name that have the given labels, written as pairs of name and value.
func (f families) sum(name string, labels ...string) (sum float64) {
	for _, m := range f[name].GetMetric() {
		if hasLabels(m, labels) {
			sum += value(m)
		}
	}
	return sum
}

// by returns the sums by the values of a label.
func (f families) by(name, label string, labels ...string) map[string]float64 {
	sums := map[string]float64{}
	for _, m := range f[name].GetMetric() {
		if hasLabels(m, labels) {
			sums[labelOf(m, label)] += value(m)
		}
	}
	return sums
}

// impossible returns the name of a counter or gauge that is not a number, infinite, or larger than any that a server counts; "" if
// there is none.
func (f families) impossible() string {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		for _, m := range f[name].GetMetric() {
			if !(math.Abs(value(m)) <= 1<<64) { // also false of NaN
				return name
			}
		}
	}
	return ""
}

func value(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	}
	return m.GetUntyped().GetValue()
}

func hasLabels(m *dto.Metric, labels []string) bool {
	for i := 0; i+1 < len(labels); i += 2 {
		if labelOf(m, labels[i]) != labels[i+1] {
			return false
		}
	}
	return true
}

func labelOf(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// buckets returns the cumulative counts of a histogram by their upper bounds, over all metrics whose path is not left out.
func (f families) buckets(name string, leaveOut []string) map[float64]float64 {
	counts := map[float64]float64{}
	for _, m := range f[name].GetMetric() {
		if slices.Contains(leaveOut, labelOf(m, "path")) {
			continue
		}
		counts[math.Inf(1)] += float64(m.GetHistogram().GetSampleCount())
		for _, b := range m.GetHistogram().GetBucket() {
			if bound := b.GetUpperBound(); !math.IsInf(bound, 1) {
				counts[bound] += float64(b.GetCumulativeCount())
			}
		}
	}
	return counts
}

// quantile returns the upper bound of the bucket that a quantile is in; 0 if nothing was counted, infinite if it is above all bounds.
func quantile(q float64, counts map[float64]float64) float64 {
	total := counts[math.Inf(1)]
	if total <= 0 {
		return 0
	}
	for _, bound := range slices.Sorted(maps.Keys(counts)) {
		if counts[bound] >= q*total {
			return bound
		}
	}
	return math.Inf(1)
}
