// SPDX-License-Identifier: MIT
// Clean-up on every way out, and a failure that does not end the process.

package main

import "fmt"

func cleanUp(what string) { fmt.Println("close", what) }

func handle(text string) (err error) {
	defer func() {
		if failure := recover(); failure != nil {
			err = fmt.Errorf("failed: %v", failure)
		}
	}()
	defer cleanUp("connection")
	defer cleanUp("file")
	if text == "" {
		panic("there is no text")
	}
	fmt.Println("handle", text)
	return nil
}

func main() {
	for _, text := range []string{"one", ""} {
		ended := make(chan error)
		go func() { ended <- handle(text) }()
		fmt.Println(<-ended)
	}
}
