package callers

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

const (
	minLength = 16 // characters of a token, so that it cannot be guessed
	maxTokens = 16 // in a file; a rotation needs two
)

// Read reads the bearer tokens in a file. Its errors never quote the content.
func Read(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the token file: %w", err)
	}
	tokens, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("token file %s: %w", path, err)
	}
	return tokens, nil
}

// parse reads tokens, one a line.
func parse(data []byte) ([]string, error) {
	text := strings.TrimSpace(string(data))
	if text == "" {
		return nil, fmt.Errorf("it is empty: write a secret of at least %d characters into it, "+
			"such as the output of `openssl rand -hex 32`", minLength)
	}
	var tokens []string
	line := 0
	for token := range strings.SplitSeq(text, "\n") {
		line++
		token = strings.TrimSpace(token)
		switch {
		case token == "":
			return nil, fmt.Errorf("line %d is empty: write one token a line and nothing else", line)
		case strings.HasPrefix(token, "#"):
			return nil, fmt.Errorf("line %d begins with #: comments are not allowed, write one token a line", line)
		case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
			return nil, fmt.Errorf("line %d has characters that cannot be sent in a header: "+
				"use ASCII letters, digits and punctuation, no spaces", line)
		case len(token) < minLength:
			return nil, fmt.Errorf("the token in line %d is too short: use at least %d characters", line, minLength)
		case slices.Contains(tokens, token):
			return nil, fmt.Errorf("line %d repeats an earlier token: remove one of them", line)
		case line > maxTokens:
			return nil, fmt.Errorf("there are more than %d tokens: remove those that are no longer used", maxTokens)
		}
		tokens = append(tokens, token)
	}
	return tokens, nil
}

// WorldReadable reports whether every user of the machine can read a file.
func WorldReadable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&fs.FileMode(0o004) != 0
}
