// SPDX-License-Identifier: MIT
// The usual guards of a Go service, on the standard library alone: a limit on requests in flight,
// beyond which 503 is answered at once, and a limit on connections, beyond which none is accepted.

package main

import (
	"net"
	"net/http"
	"runtime"
	"sync"
)

// One hundred requests of 2 ms keep a client 200 ms, which most still find useful; one hundred
// that wait 50 ms are 2,000 in a second.  No one number is right for both: that is the weakness.
const limitPerCore = 100

// limitRequests lets health checks through, as every balancer wants.
func limitRequests(next http.Handler, limit int) http.Handler {
	if limit <= 0 {
		limit = limitPerCore * runtime.GOMAXPROCS(0)
	}
	running := make(chan struct{}, limit)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			next.ServeHTTP(w, r)
			return
		}
		select {
		case running <- struct{}{}:
			defer func() { <-running }()
			// Others get to be counted before this one computes.  Without it a request that
			// never waits ends before the next begins, and the limit sees one at a time while
			// hundreds of goroutines queue for the processor.
			runtime.Gosched()
			next.ServeHTTP(w, r)
		default:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "overloaded", http.StatusServiceUnavailable)
		}
	})
}

// limitedListener is what golang.org/x/net/netutil calls a LimitListener.
type limitedListener struct {
	net.Listener
	open   chan struct{}
	closed chan struct{}
	once   sync.Once
}

func limitConnections(listener net.Listener, limit int) net.Listener {
	return &limitedListener{
		Listener: listener,
		open:     make(chan struct{}, limit),
		closed:   make(chan struct{}),
	}
}

func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.open <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	connection, err := l.Listener.Accept()
	if err != nil {
		<-l.open
		return nil, err
	}
	return &limitedConnection{Conn: connection, listener: l}, nil
}

func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConnection struct {
	net.Conn
	listener *limitedListener
	once     sync.Once
}

// Close may be called more than once; the place is given back once.
func (c *limitedConnection) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { <-c.listener.open })
	return err
}
