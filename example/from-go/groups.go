// SPDX-License-Identifier: MIT
// Goroutines and a WaitGroup, and one goroutine whose result is awaited.

package main

import (
	"fmt"
	"sync"
)

func square(n *int) { *n *= *n }

func sum(numbers []int) int {
	total := 0
	for _, n := range numbers {
		total += n
	}
	return total
}

func main() {
	numbers := []int{1, 2, 3, 4, 5}
	var group sync.WaitGroup
	for i := range numbers {
		group.Go(func() { square(&numbers[i]) })
	}
	group.Wait()
	fmt.Println("squares:", numbers)

	result := make(chan int, 1)
	go func() { result <- sum(numbers) }()
	fmt.Println("sum:", <-result)
}
