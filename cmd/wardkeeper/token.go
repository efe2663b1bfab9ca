package main

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// shortestToken is the fewest characters of a token that count as secret.
const shortestToken = 16

// readToken reads the bearer token from a file of one line, and says whether others on the machine can read it too.
// Its errors never show what the file holds.
func readToken(path string) (token string, exposed bool, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", false, fmt.Errorf("the token file cannot be read: %w", err)
	}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		exposed = info.Mode().Perm()&fs.FileMode(0o004) != 0
	}
	token = strings.TrimSpace(string(data))
	switch {
	case token == "":
		return "", exposed, fmt.Errorf("the token file %s is empty: write a secret of at least %d characters into it, "+
			"such as the output of `openssl rand -hex 32`", path, shortestToken)
	case strings.ContainsAny(token, "\r\n"):
		return "", exposed, fmt.Errorf("the token file %s has several lines: leave one, the token", path)
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", exposed, fmt.Errorf("the token in %s has characters that cannot be sent in a header: "+
			"use ASCII letters, digits and punctuation, no spaces", path)
	case len(token) < shortestToken:
		return "", exposed, fmt.Errorf("the token in %s is too short: use at least %d characters", path, shortestToken)
	}
	return token, exposed, nil
}

// readSecret reads a password from a file of one line. Its errors never show what the file holds.
func readSecret(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("the password file cannot be read: %w", err)
	}
	secret := strings.TrimRight(string(data), "\r\n")
	if secret == "" || strings.ContainsAny(secret, "\r\n") {
		return "", fmt.Errorf("the password file %s must have one line, the password", path)
	}
	return secret, nil
}
