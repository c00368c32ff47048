//go:build !linux

package matmul

import (
	"context"
	"fmt"
	"runtime"

	"gonum.org/v1/gonum/mat"

	"matmul/internal/elem"
	"matmul/internal/gemm"
)

// processes is an engine that there is not here.
type processes struct{}

func serveIfWorker() {}

func refuseWorker() {}

func startProcesses(*Pool) (*processes, error) {
	return nil, fmt.Errorf("%w: not on %s", ErrNoProcesses, runtime.GOOS)
}

func (*processes) close() error                { return nil }
func (*processes) greet(context.Context) error { return nil }

func (*processes) newDense(r, c int, _ int64) (*mat.Dense, error) {
	return mat.NewDense(r, c, nil), nil
}

func (*processes) release(*mat.Dense) (bool, error) { return false, nil }

func byProcesses[T elem.Float](context.Context, *Pool, *gemm.Tile[T]) (bool, error) {
	return false, nil
}
