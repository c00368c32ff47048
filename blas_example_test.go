package matmul_test

import (
	"context"
	"fmt"
	"log"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/mat"

	"matmul"
)

func ExampleBLAS() {
	pool, err := matmul.New(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	blas64.Use(matmul.BLAS(pool))
	defer blas64.Use(gonum.Implementation{}) // nothing may use a closed pool

	// From here on it is gonum as usual.
	a := mat.NewDense(2, 2, []float64{4, 3, 6, 3})
	var square mat.Dense
	square.Mul(a, a)
	fmt.Println(mat.Formatted(&square))
	var lu mat.LU
	lu.Factorize(a)
	fmt.Printf("det %.0f\n", lu.Det())
	// Output:
	// ⎡34  21⎤
	// ⎣42  27⎦
	// det -6
}
