// Package extauthz answers Envoy's external authorization filter (ext_authz, version 3 over gRPC): it makes an HTTP request of what Envoy
// says about one, checks it, and says in Envoy's words whether it may pass. It reads no settings and opens no listeners. Start reading at
// [Server.Check]; the folder adapters/envoy has the configuration of Envoy.
package extauthz
