package main

import (
	"encoding/json"
	"log"
	"net/http"
	"strings"

	"github.com/wardkeeper/wardkeeper/adapters/conformance/application"
	"github.com/wardkeeper/wardkeeper/adapters/nethttp"
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
	mux := http.NewServeMux()
	mux.HandleFunc("GET /done", func(w http.ResponseWriter, _ *http.Request) { answer(w, app.Done()) })
	mux.HandleFunc("GET /can/{id}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, app.Can(r.Context(), r.PathValue("id"), r.URL.Query()["action"]))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/fails") {
			http.Error(w, "The database is away.", http.StatusInternalServerError)
			return
		}
		answer(w, app.See(r.Context(), r.Method, r.URL.Path))
	})
	protect := nethttp.Middleware(nethttp.Config{Checker: app.Checker()})
	return http.ListenAndServe(app.Addr(), protect(mux))
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}
