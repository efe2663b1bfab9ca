// Package application is the part that the sample applications of the Go adapters share: settings, obligations and answers
// (adapters/CONTRACT.md, "The sample application"). It protects nothing: each sample adds its adapter. Start reading at
// [Open].
package application
