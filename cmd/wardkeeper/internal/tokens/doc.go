// Package tokens keeps the bearer tokens of clients: those that may ask and those that may announce changes. They come from
// files that are read again when they change; a file that becomes invalid leaves its last good tokens in force, and no token
// is ever in both sets. Start with [Open]. Checking the header of a request is the work of httpapi.
package tokens
