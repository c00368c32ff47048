package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// preloadSource replaces the function by which MKL (2020.1 and later) decides
// whether the processor may have its fast kernels.
const preloadSource = `int mkl_serv_intel_cpu_true(void);
int mkl_serv_intel_cpu_true(void) {
	return 1;
}
`

func isIntel() bool { return cpuid.CPU.VendorID == cpuid.Intel }

// buildPreload compiles the replacement in dir and returns its path.
func buildPreload(dir string) (string, error) {
	compiler, err := findCompiler()
	if err != nil {
		return "", err
	}
	source, object := filepath.Join(dir, "fastmkl.c"), filepath.Join(dir, "fastmkl.so")
	if err := os.WriteFile(source, []byte(preloadSource), 0o600); err != nil {
		return "", err
	}
	text, err := exec.Command(compiler, "-shared", "-fPIC", "-O1", "-o", object, source).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", compiler, err, strings.TrimSpace(string(text)))
	}
	return object, nil
}

func findCompiler() (string, error) {
	for _, name := range []string{"gcc", "cc", "clang"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no C compiler (gcc)")
}
