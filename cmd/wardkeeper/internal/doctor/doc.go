// Package doctor examines how a proxy asks the sidecar. It starts the proxy with a configuration in which the doctor's own
// servers replace the application and the sidecar, sends it the hostile corpus (adapters/hostile), and describes what is wrong
// in sentences. It changes nothing and sends nothing to the servers that the configuration names. Start reading at [Nginx] and
// [URL].
package doctor
