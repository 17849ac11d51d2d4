// SPDX-License-Identifier: MIT
// A program that waits for what can never come is told, and ends.

package main

import "fmt"

func main() {
	ch := make(chan int)
	fmt.Println("waits for nobody")
	<-ch
}
