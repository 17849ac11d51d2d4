// SPDX-License-Identifier: MIT
// The routes of the demo service, each as one would write it in Go: plain, blocking code.

package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	msMax        = 60000
	chunksMax    = 1000000
	bodyBytesMax = 8 << 20
	textPlain    = "text/plain; charset=utf-8"
)

// service is what the handlers share: every goroutine sees the same memory.
type service struct {
	burner burner
	count  int64 // atomic
}

// routes registers by path alone, and so works with Go before 1.22, which Debian 12 has.
func routes(b burner) http.Handler {
	s := &service{burner: b}
	mux := http.NewServeMux()
	mux.HandleFunc("/hello/", only(http.MethodGet, hello))
	mux.HandleFunc("/cpu", only(http.MethodGet, s.cpu))
	mux.HandleFunc("/wait", only(http.MethodGet, wait))
	mux.HandleFunc("/block", only(http.MethodGet, block))
	mux.HandleFunc("/stream", only(http.MethodGet, stream))
	mux.HandleFunc("/echo", only(http.MethodPost, echo))
	mux.HandleFunc("/healthz", only(http.MethodGet, healthz))
	mux.HandleFunc("/count", s.counter)
	mux.HandleFunc("/crash", only(http.MethodGet, crash))
	return mux
}

func only(method string, handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == method || (method == http.MethodGet && r.Method == http.MethodHead) {
			handler(w, r)
			return
		}
		w.Header().Set("Allow", method)
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

func text(w http.ResponseWriter, format string, arguments ...interface{}) {
	w.Header().Set("Content-Type", textPlain)
	fmt.Fprintf(w, format, arguments...)
}

// number reads a whole number from the query.  When it is wrong, the answer has been sent.
func number(w http.ResponseWriter, r *http.Request, name string, fallback, max int) (int, bool) {
	given, found := r.URL.Query()[name]
	if !found {
		return fallback, true
	}
	value, err := strconv.ParseUint(given[0], 10, 31)
	if err != nil || value > uint64(max) {
		message := fmt.Sprintf("%s must be a whole number from 0 to %d", name, max)
		http.Error(w, message, http.StatusBadRequest)
		return 0, false
	}
	return int(value), true
}

func hello(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/hello/")
	if name == "" || strings.Contains(name, "/") {
		http.NotFound(w, r)
		return
	}
	text(w, "Hello, %s!\n", name)
}

func (s *service) cpu(w http.ResponseWriter, r *http.Request) {
	if ms, ok := number(w, r, "ms", 1, msMax); ok {
		found := s.burner.burn(ms)
		text(w, "burned %d ms of CPU time, to find %016x\n", ms, found)
	}
}

// sleepOrLeave waits, but not for a client that has gone.
func sleepOrLeave(r *http.Request, ms int) bool {
	timer := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func wait(w http.ResponseWriter, r *http.Request) {
	if ms, ok := number(w, r, "ms", 50, msMax); ok && sleepOrLeave(r, ms) {
		text(w, "waited %d ms\n", ms)
	}
}

// block is a plain call: the runtime sees that the thread does not come back from the kernel and
// gives the others a new one.
func block(w http.ResponseWriter, r *http.Request) {
	ms, ok := number(w, r, "ms", 50, msMax)
	if !ok {
		return
	}
	left := syscall.NsecToTimespec(int64(ms) * int64(time.Millisecond))
	for syscall.Nanosleep(&left, &left) == syscall.EINTR {
	}
	text(w, "blocked a thread for %d ms\n", ms)
}

func stream(w http.ResponseWriter, r *http.Request) {
	chunks, ok := number(w, r, "n", 10, chunksMax)
	if !ok {
		return
	}
	ms, ok := number(w, r, "ms", 100, msMax)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", textPlain)
	w.(http.Flusher).Flush()
	for i := 1; i <= chunks; i++ {
		if _, err := fmt.Fprintf(w, "chunk %d of %d\n", i, chunks); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		if i < chunks && !sleepOrLeave(r, ms) {
			return
		}
	}
}

// echo reads all before it answers: over HTTP/1.1 net/http gives up what is left of the request's
// body once the answer has begun.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyBytesMax))
	if err != nil {
		http.Error(w, "the body is too large or broken", http.StatusRequestEntityTooLarge)
		return
	}
	if kind := r.Header.Get("Content-Type"); kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

func healthz(w http.ResponseWriter, r *http.Request) {
	text(w, "ok\n")
}

func (s *service) counter(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodPost:
		text(w, "%d\n", atomic.AddInt64(&s.count, 1))
	case http.MethodGet, http.MethodHead:
		text(w, "%d\n", atomic.LoadInt64(&s.count))
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

// crash is what a fault in C code, or the kernel short of memory, does to a process.
func crash(w http.ResponseWriter, r *http.Request) {
	syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	select {} // the signal may take a moment; no answer is to leave in it
}
