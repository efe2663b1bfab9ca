// Package httporigin is a [membership.Origin] that asks an application over HTTP, by the contract in openapi.yaml. It retries,
// bounds what it reads, and sends ETags so that an unchanged record is not transferred again. It does not decide how long a record
// may be used and does not receive changes: package cache does. Start with [Open]; to write the application's side, start with
// openapi.yaml.
package httporigin
