package main

import "fmt"

// A rankError is what went wrong at another rank of a product.
type rankError struct {
	rank int
	code int // exit status
	text string
	// silent says that another rank tells the user.
	silent bool
}

func (e rankError) Error() string { return fmt.Sprintf("rank %d: %s", e.rank, e.text) }
