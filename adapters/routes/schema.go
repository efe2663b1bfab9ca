package routes

import _ "embed"

// Schema is the JSON Schema of route files.
//
//go:embed schema.json
var Schema string
