package main

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// shortestToken is the fewest characters of a token that count as secret.
const shortestToken = 16

// mostTokens is how many tokens a file may have: more than a rotation takes.
const mostTokens = 16

// readTokens reads the bearer tokens from a file. Its errors never show what the file holds.
func readTokens(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the token file cannot be read: %w", err)
	}
	tokens, err := parseTokens(data)
	if err != nil {
		return nil, fmt.Errorf("the token file %s: %w", path, err)
	}
	return tokens, nil
}

// parseTokens reads tokens, one a line. Its errors never show what a line says.
func parseTokens(data []byte) ([]string, error) {
	text := strings.TrimSpace(string(data))
	if text == "" {
		return nil, fmt.Errorf("it is empty: write a secret of at least %d characters into it, "+
			"such as the output of `openssl rand -hex 32`", shortestToken)
	}
	var tokens []string
	line := 0
	for token := range strings.SplitSeq(text, "\n") {
		line++
		token = strings.TrimSpace(token)
		switch {
		case token == "":
			return nil, fmt.Errorf("line %d is empty: write one token a line, and nothing else", line)
		case strings.HasPrefix(token, "#"):
			return nil, fmt.Errorf("line %d begins with #: comments are not taken, write one token a line", line)
		case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
			return nil, fmt.Errorf("line %d has characters that cannot be sent in a header: "+
				"use ASCII letters, digits and punctuation, no spaces", line)
		case len(token) < shortestToken:
			return nil, fmt.Errorf("the token in line %d is too short: use at least %d characters", line, shortestToken)
		case slices.Contains(tokens, token):
			return nil, fmt.Errorf("line %d has the token of a line before: remove one of them", line)
		case line > mostTokens:
			return nil, fmt.Errorf("there are more than %d tokens: take those out that are not used any more", mostTokens)
		}
		tokens = append(tokens, token)
	}
	return tokens, nil
}

// exposed says whether everybody on the machine can read a file.
func exposed(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&fs.FileMode(0o004) != 0
}
