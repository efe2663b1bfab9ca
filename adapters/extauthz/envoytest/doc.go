// Package envoytest stands in for Envoy in tests: a [Filter] builds the check requests of Envoy's ext_authz filter, and a
// [Front] is a proxy that behaves as Envoy does with the configuration in adapters/envoy. It is no proxy for anything else, and
// proves nothing about Envoy itself. Start reading at [Front].
package envoytest
