// SPDX-License-Identifier: MIT
// Mutex, RWMutex, Once, Cond.

package main

import (
	"fmt"
	"sync"
	"sync/atomic"
)

func main() {
	var group sync.WaitGroup
	var mutex sync.Mutex
	count := 0
	for range 8 {
		group.Go(func() {
			for range 100 {
				mutex.Lock()
				count++
				mutex.Unlock()
			}
		})
	}
	group.Wait()
	fmt.Println("count:", count)

	mutex.Lock()
	fmt.Println("try while it is held:", mutex.TryLock())
	mutex.Unlock()

	var readWrite sync.RWMutex
	readWrite.RLock()
	fmt.Println("a second reader:", readWrite.TryRLock())
	fmt.Println("a writer beside readers:", readWrite.TryLock())
	readWrite.RUnlock()
	readWrite.RUnlock()

	var once sync.Once
	var calls atomic.Int32
	for range 4 {
		group.Go(func() { once.Do(func() { calls.Add(1) }) })
	}
	group.Wait()
	fmt.Println("calls:", calls.Load())

	cond := sync.NewCond(&mutex)
	ready := false
	group.Go(func() {
		mutex.Lock()
		ready = true
		mutex.Unlock()
		cond.Signal()
	})
	mutex.Lock()
	for !ready {
		cond.Wait()
	}
	mutex.Unlock()
	fmt.Println("ready:", ready)
	group.Wait()
}
