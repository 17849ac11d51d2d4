// SPDX-License-Identifier: MIT
// Go's net/http with the routes of the demo service: as it comes, or with --guard (guard.go).
//
// A goroutine serves each connection; the runtime spreads goroutines over GOMAXPROCS cores.
// Usage: server --port=PORT [--guard --limit=REQUESTS --connections=CONNECTIONS]

package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	drainTimeout      = 10 * time.Second
)

func main() {
	log.SetFlags(0)
	port := flag.Int("port", 8080, "listen on 127.0.0.1:`PORT`")
	guard := flag.Bool("guard", false, "refuse what is beyond the limits with 503 and Retry-After")
	limit := flag.Int("limit", 0, "requests that run at once, with --guard [100 for each core]")
	connections := flag.Int("connections", 8192, "connections that are open at once, with --guard")
	flag.Parse()

	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(*port)))
	if err != nil {
		log.Fatal(err)
	}
	handler := routes(calibrate())
	if *guard {
		handler = limitRequests(handler, *limit)
		listener = limitConnections(listener, *connections)
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
	}

	stopped := make(chan struct{})
	go stopOnSignal(server, stopped)
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	<-stopped
}

// stopOnSignal lets the requests in flight end, but not for ever.
func stopOnSignal(server *http.Server, stopped chan<- struct{}) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	<-signals
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		log.Print(err)
		server.Close()
	}
	close(stopped)
}
