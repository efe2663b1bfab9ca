// Package bench puts load on a server and measures how it answers. [NewRequests] makes plausible questions about a directory,
// [Run] sends them, and [Result.Text] is for people. It compares no answers with expected ones: golden decisions do that.
package bench
