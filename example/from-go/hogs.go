// SPDX-License-Identifier: MIT
// Goroutines that never wait, on every core.

package main

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	var group sync.WaitGroup
	var stop atomic.Bool
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for !stop.Load() {
			}
		})
	}
	time.Sleep(time.Millisecond) // hogs are preempted
	stop.Store(true)
	group.Wait()
	fmt.Println("main went on")
}
