// SPDX-License-Identifier: MIT
// Channels: meeting, buffering, closing, draining.

package main

import "fmt"

func trySend(ch chan int, n int) (refused bool) {
	defer func() { refused = recover() != nil }()
	ch <- n
	return false
}

func main() {
	meeting := make(chan int) // unbuffered: sender and receiver meet
	go func() { meeting <- 42 }()
	fmt.Println("met:", <-meeting)

	buffered := make(chan int, 3)
	for n := 1; n <= 3; n++ {
		buffered <- n // does not wait
	}
	fmt.Println("len", len(buffered), "cap", cap(buffered))
	close(buffered)
	for n := range buffered { // what is buffered comes out first
		fmt.Println("drained:", n)
	}
	n, ok := <-buffered
	fmt.Println("closed:", n, ok)
	fmt.Println("send refused:", trySend(buffered, 4))

	waiting := make(chan bool)
	go func() {
		_, ok := <-meeting
		waiting <- ok
	}()
	close(meeting) // wakes who receives
	fmt.Println("woken by close:", !<-waiting)
}
