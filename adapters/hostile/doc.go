// Package hostile sends more than a thousand hostile HTTP/1.1 requests through a proxy or middleware, and checks that the
// application gets only requests that were judged. It has the requests, a backend and a forward-auth server that record what
// they get, and the comparison; it starts no proxy. Start reading at [Cases] and [Run]; README.md says where the requests
// come from.
package hostile
