#!/bin/sh
# Regenerates the assembly of package gemm and its stubs.
set -e
cd "$(dirname "$0")"
for isa in avx512 avx2; do
	go run . -isa "$isa" -pkg gemm \
		-out "../${isa}_amd64.s" -stubs "../${isa}_stubs_amd64.go"
done
gofmt -w ../*_stubs_amd64.go
