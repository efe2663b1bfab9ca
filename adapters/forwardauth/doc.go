// Package forwardauth answers proxies that ask about each request before they pass it on: nginx's auth_request, Caddy's forward_auth, and
// whatever else sends a sub-request with the header of the person's request. Start reading at [Handler.Answer]; the folders nginx, caddy,
// haproxy and apache beside this one have the configurations.
package forwardauth
