package httporigin

import _ "embed"

//go:embed openapi.yaml
var openAPI string

// OpenAPI returns the contract that an application implements to serve an [Origin]: an OpenAPI document in YAML.
func OpenAPI() string { return openAPI }
