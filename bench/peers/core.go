// SPDX-License-Identifier: MIT
// Go's half of bench/core_ops.c: the same operations with goroutines, channels and sync.
// Usage: core OPERATION COUNT        prints nanoseconds per operation

package main

import (
	"fmt"
	"log"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"
)

const (
	bufferElems = 128
	contenders  = 4
)

// Runs fn beside the caller; the result waits for its end.
func beside(fn func()) func() {
	done := make(chan struct{})
	go func() {
		fn()
		close(done)
	}()
	return func() { <-done }
}

func yield(count int) {
	half := func() {
		for i := 0; i < count/2; i++ {
			runtime.Gosched()
		}
	}
	join := beside(half)
	half()
	join()
}

func spawn(count int) {
	for i := 0; i < count; i++ {
		var ended sync.WaitGroup
		ended.Add(1)
		go ended.Done()
		ended.Wait()
	}
}

func rendezvous(count int) {
	there, back := make(chan int), make(chan int)
	join := beside(func() {
		for i := 0; i < count; i++ {
			back <- <-there
		}
	})
	for i := 0; i < count; i++ {
		there <- i
		<-back
	}
	join()
}

func buffered(count int) {
	there := make(chan int, bufferElems)
	join := beside(func() {
		for i := 0; i < count; i++ {
			there <- i
		}
	})
	for i := 0; i < count; i++ {
		<-there
	}
	join()
}

func selects(count int) {
	there, back := make(chan int), make(chan int)
	join := beside(func() {
		for i := 0; i < count; i++ {
			if i%2 == 0 {
				there <- i
			} else {
				back <- i
			}
		}
	})
	for i := 0; i < count; i++ {
		select {
		case <-there:
		case <-back:
		}
	}
	join()
}

func mutex(count int) {
	var lock sync.Mutex
	for i := 0; i < count; i++ {
		lock.Lock()
		lock.Unlock()
	}
}

func handover(count int) {
	var lock sync.Mutex
	var ended sync.WaitGroup
	for i := 0; i < contenders; i++ {
		ended.Add(1)
		go func() {
			for i := 0; i < count/contenders; i++ {
				lock.Lock()
				runtime.Gosched()
				lock.Unlock()
			}
			ended.Done()
		}()
	}
	ended.Wait()
}

// As rendezvous, and each wait has a deadline: a timer is set and stopped.
func deadline(count int) {
	there, back := make(chan int), make(chan int)
	send := func(ch chan int, value int) {
		timer := time.NewTimer(time.Minute)
		select {
		case ch <- value:
			timer.Stop()
		case <-timer.C:
			log.Fatal("core: a minute passed")
		}
	}
	receive := func(ch chan int) int {
		timer := time.NewTimer(time.Minute)
		select {
		case value := <-ch:
			timer.Stop()
			return value
		case <-timer.C:
			log.Fatal("core: a minute passed")
		}
		return 0
	}
	join := beside(func() {
		for i := 0; i < count; i++ {
			send(back, receive(there))
		}
	})
	for i := 0; i < count; i++ {
		send(there, i)
		receive(back)
	}
	join()
}

var operations = map[string]func(int){
	"yield": yield, "spawn": spawn, "rendezvous": rendezvous, "buffered": buffered,
	"select": selects, "mutex": mutex, "handover": handover, "deadline": deadline,
}

func main() {
	if len(os.Args) != 3 || operations[os.Args[1]] == nil {
		log.Fatal("usage: core OPERATION COUNT")
	}
	count, err := strconv.Atoi(os.Args[2])
	if err != nil || count < 1 {
		log.Fatal("core: COUNT must be a positive number")
	}
	runtime.GOMAXPROCS(1)
	begin := time.Now()
	operations[os.Args[1]](count)
	fmt.Printf("%.2f\n", float64(time.Since(begin).Nanoseconds())/float64(count))
}
