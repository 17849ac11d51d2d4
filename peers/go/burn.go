// SPDX-License-Identifier: MIT
// Burning CPU time: multiplications in pieces of about 20 us, until the clock of the thread says
// that it is enough.  A request so costs the same on a slow day of the machine as on a fast one.

package main

import (
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

const (
	clockThreadCPU = 3 // CLOCK_THREAD_CPUTIME_ID
	pieceTime      = 20 * time.Microsecond
	probeRounds    = 2000000
)

// burner knows how many rounds make a piece on this machine.
type burner struct {
	rounds int
}

// threadTime is the CPU time of the calling thread, which the goroutine must be locked to.  The
// call does not wait, so the scheduler is not told of it: told, it would hand the core to another
// thread again and again, and a request would cost twice its work.
func threadTime() time.Duration {
	var used syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPU,
		uintptr(unsafe.Pointer(&used)), 0)
	if errno != 0 {
		panic(errno)
	}
	return time.Duration(used.Nano())
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
