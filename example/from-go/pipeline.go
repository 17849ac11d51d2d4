// SPDX-License-Identifier: MIT
// A pipeline: numbers, three workers that square them, a sum.

package main

import (
	"fmt"
	"sync"
)

func produce(out chan<- int) {
	for n := 1; n <= 100; n++ {
		out <- n
	}
	close(out)
}

func work(in <-chan int, out chan<- int) {
	for n := range in {
		out <- n * n
	}
}

func main() {
	numbers, squares := make(chan int, 8), make(chan int, 8)
	go produce(numbers)
	go func() {
		var workers sync.WaitGroup
		for range 3 {
			workers.Go(func() { work(numbers, squares) })
		}
		workers.Wait()
		close(squares)
	}()
	sum := 0
	for n := range squares {
		sum += n
	}
	fmt.Println("sum of squares:", sum)
}
