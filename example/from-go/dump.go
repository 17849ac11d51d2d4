// SPDX-License-Identifier: MIT
// What every goroutine does now, as text.

package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

func reader(started chan<- bool, in <-chan int) {
	started <- true
	<-in
}

func dump() string {
	text := make([]byte, 1<<20)
	return string(text[:runtime.Stack(text, true)])
}

func main() {
	started, in := make(chan bool), make(chan int)
	go reader(started, in)
	<-started
	text := dump()
	for !strings.Contains(text, "chan receive") { // it is on its way there
		runtime.Gosched()
		text = dump()
	}
	fmt.Println("names the function:", strings.Contains(text, "reader"))
	if len(os.Args) > 1 {
		fmt.Print(text)
	}
	close(in)
}
