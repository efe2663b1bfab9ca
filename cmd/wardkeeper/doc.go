// Command wardkeeper is a policy-as-code authorization sidecar: it serves decisions over HTTP, asks for them from the command
// line, checks and imports directories, and builds, signs and verifies releases of policy. Package pdp makes the decisions and
// pdp/httpapi serves HTTP; this package reads the settings, connects the parts and reports. Start with serve.go, which wires
// the sidecar.
package main
