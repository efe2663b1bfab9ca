package main

import (
	"log"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/wardkeeper/wardkeeper/adapters/conformance/application"
	wardecho "github.com/wardkeeper/wardkeeper/adapters/echo"
)

func main() {
	if err := serve(); err != nil {
		log.Fatal(err)
	}
}

func serve() error {
	app, err := application.Open()
	if err != nil {
		return err
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Pre(wardecho.Middleware(wardecho.Config{Checker: app.Checker()}))
	e.GET("/done", func(c echo.Context) error { return c.JSON(http.StatusOK, app.Done()) })
	e.GET("/can/:id", func(c echo.Context) error {
		return c.JSON(http.StatusOK, app.Can(c.Request().Context(), c.Param("id"), c.QueryParams()["action"]))
	})
	e.Any("/*", func(c echo.Context) error {
		r := c.Request()
		if strings.HasSuffix(r.URL.Path, "/fails") {
			return echo.NewHTTPError(http.StatusInternalServerError, "The database is away.")
		}
		return c.JSON(http.StatusOK, app.See(r.Context(), r.Method, r.URL.Path))
	})
	return e.Start(app.Addr())
}
