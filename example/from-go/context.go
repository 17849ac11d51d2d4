// SPDX-License-Identifier: MIT
// Contexts: a deadline, a cancellation with its cause, clean-up in spite of it, a value.

package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var errOverload = errors.New("overload")

type userKey struct{}

func receive(ctx context.Context, ch <-chan int) (int, error) {
	select {
	case n := <-ch:
		return n, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Two calls deep, both of which hand the context on.
func ask(ctx context.Context, ch <-chan int) error {
	_, err := receive(ctx, ch)
	return err
}

func cleanUp(ctx context.Context) error {
	select {
	case <-time.After(time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func work(ctx context.Context, ch <-chan int, ended chan<- string) {
	fmt.Println("works for", ctx.Value(userKey{}))
	err := ask(ctx, ch)
	cleaned := cleanUp(context.WithoutCancel(ctx))
	ended <- fmt.Sprint("canceled: ", err == context.Canceled,
		", because of ", context.Cause(ctx), ", cleaned up: ", cleaned == nil)
}

func main() {
	never := make(chan int)
	outer, stopOuter := context.WithTimeout(context.Background(), time.Millisecond)
	inner, stopInner := context.WithTimeout(outer, time.Hour)
	err := ask(inner, never) // the earlier deadline holds
	stopInner()
	stopOuter()
	fmt.Println("the deadline passed:", err == context.DeadlineExceeded)

	ctx := context.WithValue(context.Background(), userKey{}, "ada")
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan string)
	go work(ctx, never, ended)
	cancel(errOverload)
	fmt.Println(<-ended)
}
