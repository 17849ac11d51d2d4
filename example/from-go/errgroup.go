// SPDX-License-Identifier: MIT
// What golang.org/x/sync/errgroup does: a limit, the first error, siblings canceled.

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// errgroup.Group, shortened: it is not in the standard library.
type group struct {
	wait   sync.WaitGroup
	once   sync.Once
	err    error
	slots  chan struct{}
	cancel context.CancelCauseFunc
}

func withContext(limit int) (*group, context.Context) {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &group{slots: make(chan struct{}, limit), cancel: cancel}, ctx
}

func (g *group) start(fn func() error) {
	g.wait.Go(func() {
		if err := fn(); err != nil {
			g.once.Do(func() {
				g.err = err
				g.cancel(err)
			})
		}
		<-g.slots
	})
}

func (g *group) Go(fn func() error) {
	g.slots <- struct{}{}
	g.start(fn)
}

func (g *group) TryGo(fn func() error) bool {
	select {
	case g.slots <- struct{}{}:
		g.start(fn)
		return true
	default:
		return false
	}
}

func (g *group) Wait() error {
	g.wait.Wait()
	g.cancel(g.err)
	return g.err
}

func main() {
	group, _ := withContext(2)
	gate := make(chan struct{})
	waitForGate := func() error { <-gate; return nil }
	group.Go(waitForGate)
	group.Go(waitForGate)
	fmt.Println("a third at once:", group.TryGo(waitForGate))
	close(gate)
	fmt.Println("error:", group.Wait())

	group, ctx := withContext(3)
	var canceled atomic.Int32
	waitForCancel := func() error {
		<-ctx.Done()
		canceled.Add(1)
		return ctx.Err()
	}
	group.Go(waitForCancel)
	group.Go(waitForCancel)
	group.Go(func() error { return errors.New("the disk is full") })
	fmt.Println("error:", group.Wait())
	fmt.Println("canceled:", canceled.Load())
}
