// SPDX-License-Identifier: MIT
// Timers and tickers: stop, reset, no tick of the past, a function at an instant.

package main

import (
	"fmt"
	"time"
)

func main() {
	timer := time.NewTimer(time.Hour)
	fmt.Println("prevented:", timer.Stop())
	fmt.Println("prevented again:", timer.Stop())

	timer.Reset(time.Millisecond)
	<-timer.C
	fmt.Println("ticked")

	timer.Reset(time.Millisecond)
	time.Sleep(10 * time.Millisecond) // it ticks, and nobody takes it
	timer.Stop()
	select {
	case <-timer.C:
		fmt.Println("a tick of the past")
	default:
		fmt.Println("no tick of the past")
	}

	ticker := time.NewTicker(time.Millisecond)
	for range 3 {
		<-ticker.C
		fmt.Println("tick")
	}
	ticker.Stop()

	called := make(chan struct{})
	time.AfterFunc(time.Millisecond, func() { close(called) })
	<-called
	fmt.Println("called")
}
