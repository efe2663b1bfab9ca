// Package script sends the requests of testdata/clinic/script.yaml to a protected clinic, and checks the results: what the
// person gets, what reaches the clinic, and what the clinic does. Start reading at [Run].
package script
