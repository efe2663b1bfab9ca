package suggest

import "fmt"

// DidYouMean returns "did you mean X? " for the candidate nearest to word, written with prefix, or "" if none is near.
func DidYouMean(prefix, word string, candidates []string) string {
	if best := nearest(word, candidates); best != "" {
		return fmt.Sprintf("did you mean %s%s? ", prefix, best)
	}
	return ""
}

// nearest returns the candidate with the fewest edits from word, or "" if all need more than about a third of its length.
func nearest(word string, candidates []string) string {
	best, fewest := "", min(len(word), max(2, len(word)/3)+1)
	for _, c := range candidates {
		if n := distance(word, c); n < fewest {
			best, fewest = c, n
		}
	}
	return best
}

// distance returns the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
