// Package clinic is an existing user administration without authorization: anybody who reaches it may do everything. It has
// its own tables, pages and a JSON API, and serves to test the adapters of proxies and frameworks. It trusts two header
// fields: who asks, and the obligations that accompany a change. Start reading at [New]; the program is in serve, and
// script.yaml has the requests that every adapter must treat alike.
package clinic
