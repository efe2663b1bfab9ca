// Package opawire parses and encodes what clients of OPA's REST API send and expect: paths and parameters of documents,
// inputs as JSON or YAML, batches with a common input, responses with provenance, metrics and warnings, and OPA's errors.
// It neither evaluates anything nor serves HTTP; package httpapi does, and says which paths of OPA's API exist. Start
// reading at [ParsePath] for requests and at [Response] for responses.
package opawire
