package main

import (
	"bytes"
	"fmt"
	"testing"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
)

func TestWeightsAreFoundOnEitherBLAS(t *testing.T) {
	for _, own := range []bool{true, false} {
		blas64.Use(gonum.Implementation{})
		var out bytes.Buffer
		if err := run(&out, own, 600, 200); err != nil {
			t.Fatal(err)
		}
		var samples, features int
		var off, took float64
		if _, err := fmt.Sscanf(out.String(), "%d×%d: weights found within %g in %g s", &samples, &features, &off, &took); err != nil {
			t.Fatalf("%q: %v", out.String(), err)
		}
		if !(off < 1e-4) {
			t.Errorf("gonum's own BLAS: %v: weights are off by %v", own, off)
		}
	}
}
