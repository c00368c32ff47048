package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheGramMatrixOfTheDigitsIsNumPys compares with what testdata/digits.py
// made.
func TestTheGramMatrixOfTheDigitsIsNumPys(t *testing.T) {
	dir, digits := t.TempDir(), filepath.Join(examples(t), "digits.npy")
	runCommand(t, dir, "run", digits, digits, "--trans-b", "-o", "gram.npy")
	b, err := os.ReadFile(filepath.Join(dir, "gram.npy"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/digits_gram.sha256")
	if err != nil {
		t.Fatal(err)
	}
	const header = 128
	if got := fmt.Sprintf("%x", sha256.Sum256(b[header:])); got != strings.TrimSpace(string(want)) {
		t.Errorf("the elements have the SHA-256 %s, NumPy's %s", got, want)
	}
	for _, method := range []string{"exact", "gonum", "freivalds"} {
		runCommand(t, dir, "verify", digits, digits, "gram.npy", "--trans-b", "--method", method)
	}
}
