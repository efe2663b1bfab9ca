package httporigin

import (
	_ "embed"
)

//go:embed openapi.yaml
var openAPI string

// OpenAPI is what an application has to offer to be an [Origin] origin, as an OpenAPI document in YAML.
func OpenAPI() string { return openAPI }
