// The command gonum is a program of gonum's as anybody could have one, ridge
// regression by Cholesky, and what it takes to run it on matmul: the lines
// between the two comments in run. With -gonum it leaves them out.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"

	"matmul"
)

func main() {
	own := flag.Bool("gonum", false, "run on gonum's own BLAS")
	samples := flag.Int("samples", 4000, "`rows` of the data")
	features := flag.Int("features", 1500, "`columns` of the data")
	flag.Parse()
	if err := run(os.Stdout, *own, *samples, *features); err != nil {
		fmt.Fprintln(os.Stderr, "gonum:", err)
		os.Exit(1)
	}
}

// run fits made-up data and writes to w how well, and how long it took.
func run(w io.Writer, own bool, samples, features int) error {
	if !own {
		// What is new.
		pool, err := matmul.New(context.Background())
		if err != nil {
			return err
		}
		defer pool.Close()
		blas64.Use(matmul.BLAS(pool))
		// Everything else is as it was.
	}
	x, y, truth := makeUp(samples, features)
	start := time.Now()
	weights, err := ridge(x, y, 1e-3)
	if err != nil {
		return err
	}
	took := time.Since(start)
	weights.SubVec(weights, truth)
	fmt.Fprintf(w, "%d×%d: weights found within %.1e in %.3f s\n", samples, features, mat.Norm(weights, 2)/mat.Norm(truth, 2), took.Seconds())
	return nil
}

// makeUp returns random data and the weights that explain y = x·weights.
func makeUp(samples, features int) (x *mat.Dense, y, weights *mat.VecDense) {
	r := rand.New(rand.NewPCG(1, 2))
	normal := func(n int) []float64 {
		v := make([]float64, n)
		for i := range v {
			v[i] = r.NormFloat64()
		}
		return v
	}
	x = mat.NewDense(samples, features, normal(samples*features))
	weights = mat.NewVecDense(features, normal(features))
	y = mat.NewVecDense(samples, nil)
	y.MulVec(x, weights)
	return x, y, weights
}

// ridge returns the w that makes |x·w − y|² + lambda·|w|² least.
func ridge(x *mat.Dense, y *mat.VecDense, lambda float64) (*mat.VecDense, error) {
	var gram mat.SymDense
	gram.SymOuterK(1, x.T())
	for i := range gram.SymmetricDim() {
		gram.SetSym(i, i, gram.At(i, i)+lambda)
	}
	var chol mat.Cholesky
	if !chol.Factorize(&gram) {
		return nil, errors.New("the data do not determine the weights")
	}
	var xy, w mat.VecDense
	xy.MulVec(x.T(), y)
	if err := chol.SolveVecTo(&w, &xy); err != nil {
		return nil, err
	}
	return &w, nil
}
