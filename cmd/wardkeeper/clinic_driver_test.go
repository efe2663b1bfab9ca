//go:build tools

package main

// The program of testdata/clinic needs this driver, and ./... does not reach it. This keeps the driver in go.mod.
import _ "modernc.org/sqlite"
