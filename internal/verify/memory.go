package verify

// Memory returns the bytes that [Run] holds at a time, at most, so that a
// caller can refuse before it allocates; Go's collector takes more before it
// frees, by its percentage (runtime/debug.SetGCPercent). The matrices are never held: besides constants (some
// 15 MiB per worker for the definition, 100 MiB for gonum's product), only
// Freivalds' vectors grow with them. An error is [Problem.Check]'s.
func Memory(method Method, p *Problem, o Options) (int64, error) {
	j, err := p.resolve()
	if err != nil {
		return 0, err
	}
	switch method {
	case Freivalds:
		return j.rowsMemory() + j.streamMemory(o) + j.defineMemory(o, min(j.m, settleRows), j.n), nil
	case Gonum:
		return j.patchMemory(o), nil
	}
	return j.defineMemory(o, j.m, j.n), nil
}
