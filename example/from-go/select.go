// SPDX-License-Identifier: MIT
// Select: merging two channels, switching a case off, default, timeout.

package main

import (
	"fmt"
	"time"
)

func count(from, to int, out chan<- int) {
	for n := from; n <= to; n++ {
		out <- n
	}
	close(out)
}

func main() {
	left, right := make(chan int), make(chan int)
	go count(1, 3, left)
	go count(10, 12, right)
	sum := 0
	for left != nil || right != nil {
		select {
		case n, ok := <-left:
			if !ok {
				left = nil // never ready any more
			}
			sum += n
		case n, ok := <-right:
			if !ok {
				right = nil
			}
			sum += n
		}
	}
	fmt.Println("sum:", sum)

	never := make(chan int)
	select {
	case <-never:
		fmt.Println("impossible")
	default:
		fmt.Println("nothing is ready")
	}
	select {
	case <-never:
		fmt.Println("impossible")
	case <-time.After(time.Millisecond):
		fmt.Println("timed out")
	}
}
