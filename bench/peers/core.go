// SPDX-License-Identifier: MIT
// Go's half of bench/core_ops.c: the same operations with goroutines, channels and sync.
// Usage: core OPERATION COUNT [PROCESSORS]        prints nanoseconds per operation

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
	groupTasks  = 1000
	fanOut      = 10

	timersPerYield = 1000
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
	var ended sync.WaitGroup
	for i := 0; i < count; i++ {
		ended.Add(1)
		go ended.Done()
		ended.Wait()
	}
}

func group(count int) {
	var ended sync.WaitGroup
	for left := count; left > 0; left -= groupTasks {
		for i := 0; i < min(left, groupTasks); i++ {
			ended.Add(1)
			go ended.Done()
		}
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

func contended(count int) {
	var lock sync.Mutex
	var ended sync.WaitGroup
	counter := 0
	for i := 0; i < contenders; i++ {
		ended.Add(1)
		go func() {
			for i := 0; i < count/contenders; i++ {
				lock.Lock()
				counter++
				lock.Unlock()
			}
			ended.Done()
		}()
	}
	ended.Wait()
	if counter != count {
		log.Fatal("core: contended: a wrong result")
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

func sendSum(out chan<- int, first, leaves int) {
	sum := first
	if leaves > 1 {
		sums := make(chan int)
		each := leaves / fanOut
		for i := 0; i < fanOut; i++ {
			go sendSum(sums, first+i*each, each)
		}
		sum = 0
		for i := 0; i < fanOut; i++ {
			sum += <-sums
		}
	}
	out <- sum
}

func skynet(count int) {
	sums := make(chan int)
	go sendSum(sums, 0, count)
	if <-sums != count*(count-1)/2 {
		log.Fatal("core: skynet: a wrong result")
	}
}

func generate(out chan<- int) {
	for number := 2; ; number++ {
		out <- number
	}
}

func filter(in <-chan int, out chan<- int, prime int) {
	for {
		if number := <-in; number%prime != 0 {
			out <- number
		}
	}
}

func sieve(count int) {
	in := make(chan int)
	go generate(in)
	for i := 1; i < count; i++ {
		prime := <-in
		out := make(chan int)
		go filter(in, out, prime)
		in = out
	}
	<-in
}

func yieldAtTimes(timersDone int) {
	if timersDone%timersPerYield == 0 {
		runtime.Gosched()
	}
}

// The timers fire into nothing, a minute ahead or more.
func setTimers(timers []*time.Timer) {
	for i := range timers {
		timers[i] = time.NewTimer(time.Minute + time.Duration(i*7919%60000)*time.Millisecond)
		yieldAtTimes(i)
	}
}

func stopTimers(timers []*time.Timer) {
	for i, timer := range timers {
		if !timer.Stop() {
			log.Fatal("core: timers: a wrong result")
		}
		timers[i] = nil
		yieldAtTimes(i)
	}
}

func timers(count int) {
	all := make([]*time.Timer, count)
	halves := [][]*time.Timer{all[:count/2], all[count/2:]}
	for phase, fn := range []func([]*time.Timer){setTimers, stopTimers} {
		join := beside(func() { fn(halves[1-phase]) })
		fn(halves[phase])
		join()
	}
}

var operations = map[string]func(int){
	"yield": yield, "spawn": spawn, "group": group, "rendezvous": rendezvous,
	"buffered": buffered, "select": selects, "mutex": mutex, "contended": contended,
	"handover": handover, "deadline": deadline, "skynet": skynet, "sieve": sieve,
	"timers": timers,
}

func main() {
	if len(os.Args) < 3 || len(os.Args) > 4 || operations[os.Args[1]] == nil {
		log.Fatal("usage: core OPERATION COUNT [PROCESSORS]")
	}
	count, err := strconv.Atoi(os.Args[2])
	if err != nil || count < 1 {
		log.Fatal("core: COUNT must be a positive number")
	}
	processors := 1
	if len(os.Args) == 4 {
		if processors, err = strconv.Atoi(os.Args[3]); err != nil || processors < 1 {
			log.Fatal("core: PROCESSORS must be a positive number")
		}
	}
	runtime.GOMAXPROCS(processors)
	begin := time.Now()
	operations[os.Args[1]](count)
	fmt.Printf("%.2f\n", float64(time.Since(begin).Nanoseconds())/float64(count))
}
