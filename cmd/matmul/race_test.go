//go:build race

package main

// raceDetector is whether programs take several times the memory that they say.
const raceDetector = true
