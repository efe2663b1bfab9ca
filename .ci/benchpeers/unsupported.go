//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "benchpeers: processor time is read from Linux's /proc: run it there")
	os.Exit(1)
}
