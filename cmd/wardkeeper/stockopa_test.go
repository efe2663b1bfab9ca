package main

import "sync"

// stockOPA builds the unmodified OPA, of the version in go.mod.
var stockOPA = sync.OnceValues(func() (string, error) { return goBuild("opa", "github.com/open-policy-agent/opa") })
