// Command wardkeeper is a policy-as-code authorization sidecar: it serves decisions over HTTP, asks for them from the command line,
// checks and imports directories, and builds, signs and verifies releases of policy. Decisions are made in package pdp and HTTP is
// spoken in pdp/httpapi; this package reads the settings, connects the parts and reports. Start with serve.go, where the sidecar
// is wired.
package main
