package matmul_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// above lists, for packages that not everybody may import, who may.
var above = map[string][]string{
	"matmul/internal/plots":     {"cmd/matmul"},
	"matmul/internal/ipc":       {"cmd/matmul"},
	"matmul/internal/batch":     {"cmd/matmul"},
	"gonum.org/v1/plot":         {"internal/plots"},
	"matmul/master":             {".", "cmd/matmul", "bench/peers"},
	"matmul/worker":             {".", "cmd/matmul", "bench/peers"},
	"github.com/spf13/cobra":    {"cmd/matmul"},
	"github.com/cheggaaa/pb/v3": {"cmd/matmul"},
}

func TestImportsPointDownwards(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		dir := filepath.Dir(path)
		if strings.HasPrefix(dir, "bench") {
			return nil // modules and programs of their own
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			for what, who := range above {
				inside := dir == strings.TrimPrefix(what, "matmul/")
				if (name == what || strings.HasPrefix(name, what+"/")) && !inside && !slices.Contains(who, dir) && !testWith(path) {
					t.Errorf("%s imports %s, which is for %v", path, name, who)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// testWith reports whether a file is a test that needs what its package must not
// import: one of master needs workers, and that of checks draws what it found.
func testWith(path string) bool {
	return strings.HasPrefix(path, "master/") && strings.HasSuffix(path, "_test.go") || path == "internal/gemm/check_test.go"
}
