package httporigin

import (
	"errors"
	"fmt"
	"strings"

	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// bearer is the token that requests carry: a fixed one, or the one in a file.
type bearer struct {
	fixed string
	file  *rotation.Value[string] // nil where the token is fixed
}

func openToken(cfg Config) (*bearer, error) {
	b := &bearer{}
	var err error
	switch {
	case cfg.Token != "" && cfg.TokenFile != "":
		return nil, errors.New("a token and a token file are given for the application: choose one")
	case cfg.Token != "":
		if b.fixed, err = cleanToken(cfg.Token); err != nil {
			return nil, fmt.Errorf("the application's token: %w", err)
		}
	case cfg.TokenFile != "":
		b.file, err = rotation.Open(rotation.Config[string]{
			Name: "the application's token", Paths: []string{cfg.TokenFile}, Logger: cfg.Logger,
			Parse: func(contents [][]byte) (string, error) { return cleanToken(string(contents[0])) },
		})
	}
	return b, err
}

func cleanToken(text string) (string, error) {
	token := strings.TrimSpace(text)
	switch {
	case token == "":
		return "", errors.New("it is empty")
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errors.New("it has characters that cannot be sent: use ASCII letters, digits and punctuation, no spaces")
	}
	return token, nil
}

// current is the token to send, empty for none.
func (b *bearer) current() string {
	if b.file != nil {
		return b.file.Get()
	}
	return b.fixed
}

// renewed says whether there is another token than the one that was refused.
func (b *bearer) renewed(refused string) bool {
	if b.file != nil {
		b.file.Renew()
	}
	return b.current() != refused
}
