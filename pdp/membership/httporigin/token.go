package httporigin

import (
	"errors"
	"fmt"

	"github.com/wardkeeper/wardkeeper/pdp/rotation"
)

// bearerToken is the token that requests carry: a fixed one, the content of a file, or none.
type bearerToken struct {
	fixed string
	file  *rotation.Value[string] // nil if the token is fixed or there is none
}

func openToken(cfg Config) (*bearerToken, error) {
	b := &bearerToken{}
	var err error
	switch {
	case cfg.Token != "" && cfg.TokenFile != "":
		return nil, errors.New("the application has both a token and a token file: choose one")
	case cfg.Token != "":
		if b.fixed, err = rotation.ParseToken([][]byte{[]byte(cfg.Token)}); err != nil {
			return nil, fmt.Errorf("the application's token: %w", err)
		}
	case cfg.TokenFile != "":
		b.file, err = rotation.Open(rotation.Config[string]{
			Name: "the application's token", Paths: []string{cfg.TokenFile}, Logger: cfg.Logger, Parse: rotation.ParseToken,
		})
	}
	return b, err
}

// current returns the token to send; "" for none.
func (b *bearerToken) current() string {
	if b.file != nil {
		return b.file.Get()
	}
	return b.fixed
}

// reload reads the file again and reports whether its token differs from the one that was refused.
func (b *bearerToken) reload(refused string) bool {
	if b.file != nil {
		b.file.Renew()
	}
	return b.current() != refused
}
