// SPDX-License-Identifier: MIT
// Go's half of bench/parked.c: what a parked goroutine holds.
// Usage: parked GOROUTINES        prints what bench/parked.c prints, but for the guard

package main

import (
	"fmt"
	"log"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Resident memory and page tables of this process.
func memoryBytes() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		log.Fatal("parked: ", err)
	}
	sum := 0
	for _, line := range strings.Split(string(status), "\n") {
		words := strings.Fields(line)
		if len(words) > 1 && (words[0] == "VmRSS:" || words[0] == "VmPTE:") {
			kib, _ := strconv.Atoi(words[1])
			sum += kib
		}
	}
	return float64(sum) * 1024
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: parked GOROUTINES")
	}
	count, err := strconv.Atoi(os.Args[1])
	if err != nil || count < 1 {
		log.Fatal("parked: GOROUTINES must be a positive number")
	}
	runtime.GOMAXPROCS(2)
	each := func(value float64) float64 { return value / float64(count) }
	never := make(chan byte)
	var arrived, ended sync.WaitGroup
	arrived.Add(count)
	ended.Add(count)

	before := memoryBytes()
	begin := time.Now()
	for i := 0; i < count; i++ {
		go func() {
			arrived.Done()
			<-never
			ended.Done()
		}()
	}
	arrived.Wait()
	allRun := time.Since(begin)
	held := memoryBytes() - before

	closing := time.Now()
	close(never)
	ended.Wait()
	fmt.Printf("%.0f %.0f %.0f\n", each(held), each(float64(allRun.Nanoseconds())),
		each(float64(time.Since(closing).Nanoseconds())))
}
