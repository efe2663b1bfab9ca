// Package extauthz answers Envoy's external authorization filter (ext_authz, version 3 over gRPC): it reconstructs the HTTP
// request from Envoy's description, checks it, and returns the result in Envoy's format. It reads no settings and opens no
// listeners. Start reading at [Server.Check]; the folder adapters/envoy has the configuration of Envoy.
package extauthz
