package echo_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/labstack/echo/v4"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	wardecho "github.com/wardkeeper/wardkeeper/adapters/echo"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

const routeFile = `
version: 1
subject: {header: X-Remote-User}
routes:
  - {path: "/users/{id}", methods: [GET], action: user.view, resource: {id: {path: id}}}
`

// alone allows people to view themselves. Real programs use adapters/client or adapters/inprocess.
type alone struct{}

func (alone) Decide(_ context.Context, questions []authzen.Evaluation) ([]authzen.Response, error) {
	answers := make([]authzen.Response, len(questions))
	for i, q := range questions {
		answers[i].Decision = q.Subject.ID == q.Resource.ID
	}
	return answers, nil
}

func ExampleMiddleware() {
	table, err := routes.Parse([]byte(routeFile))
	if err != nil {
		fmt.Println(err)
		return
	}
	checker, err := check.New(check.Config{Routes: table, Decider: alone{}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	e := echo.New()
	e.Pre(wardecho.Middleware(wardecho.Config{
		Checker:   checker,
		FromProxy: func(*http.Request) bool { return true }, // only a proxy that has authenticated the person can reach it
	}))
	e.GET("/users/:id", func(c echo.Context) error {
		result, _ := wardecho.ResultOf(c)
		fmt.Println("hello", result.Subject)
		return c.NoContent(http.StatusOK)
	})
	for _, path := range []string{"/users/jane", "/users/joe", "/elsewhere"} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("X-Remote-User", "jane")
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		fmt.Println(path, w.Code)
	}
	// Output:
	// hello jane
	// /users/jane 200
	// /users/joe 403
	// /elsewhere 403
}
