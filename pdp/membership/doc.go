// Package membership is the policy information point: it delivers the facts that rules judge by, who holds which role
// where, and refuses a directory that breaks a rule of DOMAIN.md section 1.
package membership
