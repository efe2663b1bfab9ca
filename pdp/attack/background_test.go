package attack

import "context"

type ctx = context.Context

// background makes what all tests share.
type background struct{}

func (background) Context() ctx          { return context.Background() }
func (background) Errorf(string, ...any) {}
func (background) FailNow()              { panic("the built-in policy cannot be prepared") }
