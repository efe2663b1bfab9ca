// Command echo is the server that benchpeers compares decision points with: it decodes a question and encodes the prepared
// answer, with the framework and the types of Wardkeeper but without its checks, rules and log. What other servers take beyond that
// is the price of deciding.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/labstack/echo/v4"

	"github.com/wardkeeper/wardkeeper/pdp/authzen"
)

// main takes the address to listen on and a file with a JSON object: the answers by the bodies that ask for them.
func main() {
	if err := serve(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
}

func serve(address, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var answers map[string]authzen.Response
	if err := json.Unmarshal(data, &answers); err != nil {
		return err
	}
	e := echo.New()
	e.HideBanner = true
	e.GET("/health", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	e.POST("/access/v1/evaluation", func(c echo.Context) error {
		body, err := io.ReadAll(c.Request().Body)
		if err != nil {
			return err
		}
		var question authzen.Evaluation
		if err := json.Unmarshal(body, &question); err != nil {
			return err
		}
		return c.JSON(http.StatusOK, answers[string(body)])
	})
	return e.Start(address)
}
