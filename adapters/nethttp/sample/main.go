package main

import (
	"log"
	"net/http"

	"github.com/wardkeeper/wardkeeper/adapters/conformance/application"
	"github.com/wardkeeper/wardkeeper/adapters/nethttp"
)

func main() {
	app, err := application.Open()
	if err != nil {
		log.Fatal(err)
	}
	protect := nethttp.Middleware(nethttp.Config{Checker: app.Checker()})
	log.Fatal(http.ListenAndServe(app.Addr(), protect(app.Handler())))
}
