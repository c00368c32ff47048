package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata/help")

// TestHelpIsAsInTheGoldenFiles: run with -update after a change of a text.
func TestHelpIsAsInTheGoldenFiles(t *testing.T) {
	for _, name := range []string{"", "run", "batch", "verify", "bench", "tune", "tune show", "tune export", "tune import", "tune reset", "ipc", "trace", "gen", "info", "version", "man", "exit-codes", "completion", "help"} {
		t.Run("matmul "+name, func(t *testing.T) {
			t.Parallel()
			args := append(strings.Fields(name), "--help")
			got := runCommand(t, "", args...)
			golden := filepath.Join("testdata", "help", "matmul.txt")
			if name != "" {
				golden = filepath.Join("testdata", "help", strings.ReplaceAll(name, " ", "-")+".txt")
			}
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
