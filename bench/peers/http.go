// SPDX-License-Identifier: MIT
// The routes of bench/http.c in Go's net/http, as its documentation writes them.
// Usage: http PORT

package main

import (
	"bytes"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
)

const resources = 100

var large = bytes.Repeat([]byte("x"), 65536)

func text(w http.ResponseWriter, format string, values ...any) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, format, values...)
}

// What follows the resource: ID, ID/owner, ID/items, ID/items/ITEM, ID/items/ITEM/history.  Go's
// multiplexer knows parameters only from 1.22 on, and Debian 12 has 1.19.
func item(w http.ResponseWriter, rest string) {
	parts := strings.Split(rest, "/")
	switch {
	case len(parts) == 1,
		len(parts) == 2 && (parts[1] == "owner" || parts[1] == "items"):
		text(w, "item all of %s\n", parts[0])
	case len(parts) == 3 && parts[1] == "items",
		len(parts) == 4 && parts[1] == "items" && parts[3] == "history":
		text(w, "item %s of %s\n", parts[2], parts[0])
	default:
		http.Error(w, "no such route", http.StatusNotFound)
	}
}

func main() {
	http.HandleFunc("/hello/", func(w http.ResponseWriter, r *http.Request) {
		text(w, "Hello, %s!\n", strings.TrimPrefix(r.URL.Path, "/hello/"))
	})
	http.HandleFunc("/body", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.Itoa(len(large)))
		w.Write(large)
	})
	for i := 0; i < resources; i++ {
		prefix := fmt.Sprintf("/many/r%02d/", i)
		http.HandleFunc(prefix, func(w http.ResponseWriter, r *http.Request) {
			item(w, strings.TrimPrefix(r.URL.Path, prefix))
		})
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
