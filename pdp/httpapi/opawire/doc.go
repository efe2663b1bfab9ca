// Package opawire parses and encodes the formats of OPA's REST API: paths and parameters of documents, inputs as JSON or
// YAML, batches with a common input, responses with provenance, metrics and warnings, and errors. It does not evaluate
// documents or serve HTTP; package httpapi does, and defines which paths of OPA's API exist. Start reading at
// [ParsePath] for requests and at [Response] for responses.
package opawire
