// Package clinic is an existing user administration that knows nothing of authorization: whoever reaches it may do everything. It has a table
// of its own, pages and a JSON API. The adapters of proxies and frameworks are tried in front of it. It is told two things in header fields
// that it believes: who asks, and what it has to do together with a change. Start reading at [New]; the program is in serve, the requests
// that every adapter has to treat alike are in script.yaml.
package clinic
