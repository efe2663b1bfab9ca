// Package forwardauth answers proxies that ask about each request before they forward it: nginx's auth_request, Caddy's
// forward_auth, and any other proxy that sends a subrequest with the header of the original request. Start reading at
// [Handler.Answer]; the neighboring folders nginx, caddy, haproxy and apache have the configurations.
package forwardauth
