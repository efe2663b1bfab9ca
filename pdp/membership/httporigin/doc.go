// Package httporigin is a [membership.Origin] that asks an application over HTTP, by the contract in openapi.yaml. It retries,
// bounds what it reads, and by ETag reads a record again only if it has changed. It does not decide how long a record may be used,
// and does not receive changes: package cache does. Start with [Open]; whoever writes the application's side starts with
// openapi.yaml.
package httporigin
