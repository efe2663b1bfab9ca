// Package httporigin implements a [membership.Origin] that queries an application over HTTP, using the contract in
// openapi.yaml. It retries, limits what it reads, and sends ETags so that unchanged records are not transferred again.
// It does not decide how long a record may be used and does not receive changes; package cache does. Start reading at
// [Open]. To write the application's side, start with openapi.yaml.
package httporigin
