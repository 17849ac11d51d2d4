// SPDX-License-Identifier: MIT
// Threads: a goroutine that keeps its own, a call that blocks.

package main

import (
	"fmt"
	"runtime"
	"syscall"
	"time"
)

func keepThread() bool {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := syscall.Gettid()
	time.Sleep(time.Millisecond)
	return syscall.Gettid() == before
}

func block() {
	syscall.Nanosleep(&syscall.Timespec{Nsec: 1000000}, nil)
}

func main() {
	same := make(chan bool)
	go func() { same <- keepThread() }()
	fmt.Println("the same thread after a wait:", <-same)

	block() // Go notices by itself
	fmt.Println("blocked for a while")
}
