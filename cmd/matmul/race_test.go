//go:build race

package main

// raceDetector is whether programs have the race detector in them, which takes several
// times the memory that they say, and makes system calls of its own.
const raceDetector = true
