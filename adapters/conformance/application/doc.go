// Package application is what the sample applications of the Go adapters have in common: the settings, the obligations that they can do, and
// what they answer (adapters/CONTRACT.md, "The sample application"). It protects nothing: each sample adds its adapter. Start reading at
// [Open].
package application
