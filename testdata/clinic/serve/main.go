// Command serve runs the clinic. With --routes it also serves it protected by adapters/nethttp. The unprotected address
// trusts every request, and belongs behind a proxy that asks the decision point.
package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/wardkeeper/wardkeeper/adapters/check"
	"github.com/wardkeeper/wardkeeper/adapters/client"
	"github.com/wardkeeper/wardkeeper/adapters/nethttp"
	"github.com/wardkeeper/wardkeeper/adapters/routes"
	"github.com/wardkeeper/wardkeeper/testdata/clinic"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9000", "listen at `HOST:PORT`")
	directory := flag.String("directory", "testdata/directories/sample.yaml", "take users and locations from `FILE`")
	database := flag.String("db", ":memory:", "keep the tables in `FILE`, which must not exist")
	routeFile := flag.String("routes", "", "protect the clinic by the route `FILE`, at --protected-addr")
	protectedAddr := flag.String("protected-addr", "127.0.0.1:9001", "listen at `HOST:PORT` for what is protected")
	pdp := client.Config{Token: token}
	flag.StringVar(&pdp.URL, "pdp", "http://127.0.0.1:8181", "ask the decision point at `URL`")
	flag.DurationVar(&pdp.Timeout, "timeout", time.Second, "wait so long for an answer of the decision point")
	flag.Parse()
	if err := serve(*addr, *directory, *database, *routeFile, *protectedAddr, pdp); err != nil {
		log.Fatal(err)
	}
}

func serve(addr, directory, database, routeFile, protectedAddr string, pdp client.Config) error {
	db, err := sql.Open("sqlite", database)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1) // each connection to :memory: is a database of its own
	if err := clinic.Fill(context.Background(), db, directory); err != nil {
		return err
	}
	application := clinic.New(db)
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	if routeFile != "" {
		protected, err := protect(application, routeFile, pdp)
		if err != nil {
			return err
		}
		front, err := net.Listen("tcp", protectedAddr)
		if err != nil {
			return err
		}
		go func() { log.Fatal(http.Serve(front, protected)) }()
		fmt.Printf("protected at http://%s\n", front.Addr())
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	return http.Serve(listener, application)
}

// protect puts the middleware in front of the application, and sets the header fields that a proxy would set.
func protect(application http.Handler, routeFile string, pdp client.Config) (http.Handler, error) {
	table, err := routes.Load(routeFile)
	if err != nil {
		return nil, err
	}
	decider, err := client.New(pdp)
	if err != nil {
		return nil, err
	}
	checker, err := check.New(check.Config{Routes: table, Decider: decider})
	if err != nil {
		return nil, err
	}
	tell := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		result, _ := check.ResultOf(r.Context())
		result.SetHeader(r.Header)
		application.ServeHTTP(w, r)
	})
	return nethttp.Middleware(nethttp.Config{Checker: checker})(tell), nil
}

// token returns the token for the decision point from the environment, or "".
func token() string { return strings.TrimSpace(os.Getenv("PDP_TOKEN")) }
