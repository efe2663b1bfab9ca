// Package accessreview writes an access review as files with a signed manifest, verifies them, and finds in a log of decisions what
// was used. Start reading at [Create].
package accessreview
