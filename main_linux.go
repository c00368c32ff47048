package matmul

import "matmul/worker"

func serveIfWorker() { worker.Main() }
