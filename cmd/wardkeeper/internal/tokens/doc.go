// Package tokens keeps the bearer tokens of clients: those that may ask and those that may announce changes. They come from
// files that are read again when they change. If a file becomes invalid, its last good tokens stay in force. No token is ever
// in both sets. Start with [Open]. Package httpapi checks the header of a request.
package tokens
