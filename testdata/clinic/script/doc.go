// Package script sends the requests of testdata/clinic/script.yaml to a clinic that is protected in some way, and checks what becomes of them:
// what the person gets, what reaches the clinic and what it does. Start reading at [Run].
package script
