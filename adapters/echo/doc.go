// Package echo protects an application of github.com/labstack/echo: requests pass only if the decision point allows them. It
// defines no routes; the route file (adapters/routes) says what a request asks. Start reading at [Middleware];
// adapters/echo/README.md shows how to use it.
package echo
