// Command sample protects a small application with adapters/echo. The acceptance suite of enforcement points drives it
// (adapters/CONTRACT.md, "The sample application"). What it answers is in adapters/conformance/application. Start reading at serve.
package main
