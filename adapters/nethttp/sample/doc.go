// Command sample protects a small application with adapters/nethttp. The acceptance suite of enforcement points drives it
// (adapters/CONTRACT.md, "The sample application"). Its answers come from adapters/conformance/application. Start reading at
// serve.
package main
