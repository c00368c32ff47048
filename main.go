package matmul

// Main turns this process into a worker and does not return if it was started
// as one by a pool; otherwise it returns at once. A program whose pools have
// worker processes calls it first thing in main, and in TestMain.
func Main() { serveIfWorker() }
