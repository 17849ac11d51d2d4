// SPDX-License-Identifier: MIT
// Burning CPU time: multiplications in pieces of about 20 us, until the clock of the thread says
// that it is enough.  A request so costs the same on a slow day of the machine as on a fast one.

package main

import (
	"runtime"
	"syscall"
	"time"
)

const (
	rusageThread = 1
	pieceTime    = 20 * time.Microsecond
	probeRounds  = 2000000
)

// burner knows how many rounds make a piece on this machine.
type burner struct {
	rounds int
}

// threadTime is the CPU time of the calling thread, which the goroutine must be locked to.
func threadTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(rusageThread, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func multiply(value uint64, rounds int) uint64 {
	for i := 0; i < rounds; i++ {
		value = value*6364136223846793005 + 1442695040888963407
	}
	return value
}

// calibrate takes the fastest of a few probes: interrupts only ever make one slower.
func calibrate() burner {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	best := time.Hour
	value := uint64(1)
	for i := 0; i < 5; i++ {
		began := threadTime()
		value = multiply(value, probeRounds)
		if used := threadTime() - began; used > 0 && used < best {
			best = used
		}
	}
	rounds := int(int64(probeRounds) * int64(pieceTime) / int64(best))
	if value == 0 || rounds < 100 {
		rounds = 100
	}
	return burner{rounds: rounds}
}

// burn holds its goroutine on one thread, so that the clock it reads is of its own work; without
// a call that waits inside, that costs a goroutine nothing.
func (b burner) burn(ms int) uint64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	end := threadTime() + time.Duration(ms)*time.Millisecond
	value := uint64(end)
	for threadTime() < end {
		value = multiply(value, b.rounds)
	}
	return value
}
