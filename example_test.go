package matmul_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/mat"

	"matmul"
)

func Example() {
	ctx := context.Background()
	pool, err := matmul.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	a := mat.NewDense(2, 3, []float64{1, 2, 3, 4, 5, 6})
	b := mat.NewDense(3, 2, []float64{1, 0, 0, 1, 1, 1})
	var c mat.Dense
	if err := matmul.Mul(ctx, pool, &c, a, b); err != nil {
		log.Fatal(err)
	}
	fmt.Println(mat.Formatted(&c))
	// Output:
	// ⎡ 4   5⎤
	// ⎣10  11⎦
}

// Programs with worker processes call Main first: each worker is the program
// itself, started anew.
func ExampleMain() {
	matmul.Main()

	pool, err := matmul.New(context.Background(), matmul.WithWorkers(2))
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	fmt.Println(pool.Workers())
	// Output: 2
}

// C = 2·A·Bᵀ + C in float32, on the middle columns of a larger C.
func ExampleGemm() {
	ctx := context.Background()
	pool, err := matmul.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	a := []float32{
		1, 2,
		3, 4,
	}
	b := []float32{
		1, 1,
		0, 1,
	}
	c := []float32{
		9, 1, 1, 9,
		9, 1, 1, 9,
	}
	const m, n, k = 2, 2, 2
	if err := matmul.Gemm(ctx, pool, blas.NoTrans, blas.Trans, m, n, k, 2, a, 2, b, 2, 1, c[1:], 4); err != nil {
		log.Fatal(err)
	}
	fmt.Println(c[:4])
	fmt.Println(c[4:])
	// Output:
	// [9 7 5 9]
	// [9 15 9 9]
}

// The transpose of a matrix is read where it is.
func ExampleMul() {
	ctx := context.Background()
	pool, err := matmul.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	x := mat.NewDense(3, 2, []float64{1, 2, 3, 4, 5, 6})
	var gram mat.Dense
	if err := matmul.Mul(ctx, pool, &gram, x.T(), x); err != nil {
		log.Fatal(err)
	}
	fmt.Println(mat.Formatted(&gram))
	// Output:
	// ⎡35  44⎤
	// ⎣44  56⎦
}

// Matrices in the segment are multiplied by worker processes without a copy.
func ExamplePool_NewDense() {
	ctx := context.Background()
	pool, err := matmul.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close() // frees what was not released

	a, err := pool.NewDense(500, 500)
	if err != nil {
		log.Fatal(err)
	}
	c, err := pool.NewDense(500, 500)
	if err != nil {
		log.Fatal(err)
	}
	for i := range 500 {
		a.Set(i, i, 3)
	}
	if err := matmul.Mul(ctx, pool, c, a, a); err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.At(0, 0), c.At(0, 1), c.At(499, 499))
	// Output: 9 0 9
}

func ExamplePool_Release() {
	pool, err := matmul.New(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	a, err := pool.NewDense(1000, 1000)
	if err != nil {
		log.Fatal(err)
	}
	if err := pool.Release(a); err != nil {
		log.Fatal(err)
	}
	fmt.Println(a.IsEmpty())
	// Output: true
}

// With isolation a worker's death costs time, and C is written when it is
// complete. This program would call Main first.
func ExampleWithIsolation() {
	ctx := context.Background()
	pool, err := matmul.New(ctx, matmul.WithIsolation())
	if errors.Is(err, matmul.ErrNoProcesses) {
		pool, err = matmul.New(ctx) // not on this system: goroutines will do
	}
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	a := mat.NewDense(300, 300, nil)
	for i := range 300 {
		a.Set(i, 299-i, 1)
	}
	var c mat.Dense
	if err := matmul.Mul(ctx, pool, &c, a, a); err != nil {
		log.Fatal(err)
	}
	fmt.Println(mat.Trace(&c))
	// Output: 300
}

func ExamplePool_Stats() {
	ctx := context.Background()
	pool, err := matmul.New(ctx, matmul.WithWorkers(2))
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	for _, n := range []int{10, 300} {
		a := mat.NewDense(n, n, nil)
		if err := matmul.Mul(ctx, pool, new(mat.Dense), a, a); err != nil {
			log.Fatal(err)
		}
	}
	s := pool.Stats()
	fmt.Println(s.Small, "small,", s.Threads, "by goroutines")
	// Output: 1 small, 1 by goroutines
}

// What is asked of a closed pool is an error.
func ExamplePool_Close() {
	pool, err := matmul.New(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	if err := pool.Close(); err != nil {
		log.Fatal(err)
	}
	a := mat.NewDense(2, 2, nil)
	fmt.Println(matmul.Mul(context.Background(), pool, new(mat.Dense), a, a))
	// Output: matmul: pool is closed
}
