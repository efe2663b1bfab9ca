// Package echo protects an application of github.com/labstack/echo: requests pass only if the decision point allows them. It has no routes of
// its own; what a request asks is in the route file (adapters/routes). Start reading at [Middleware]; adapters/echo/README.md shows how to
// use it.
package echo
