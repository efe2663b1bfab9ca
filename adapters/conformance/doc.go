// Command conformance is the acceptance suite of enforcement points (adapters/CONTRACT.md). It starts an adapter's sample
// application, plays its decision point and the issuer of its users' tokens, sends it requests, and names the duties that the
// adapter breaks. Start reading at [suite.run]; README.md says how to use it.
package main
