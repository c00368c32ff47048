package tune

import "matmul/internal/gemm"

// FamilyBlocking returns the blocks for a machine that was never tuned, with
// the name of the family of processors that they are for. Blocks depend on a
// core's caches and on little else, so families are told apart by these:
//
//   - cores whose level 2 cache holds the kernel's own block of B in three
//     quarters (1 MiB: Skylake-X and later, Zen 4 and later): the kernel's own
//     blocks, which were measured on one of them
//   - smaller ones (Zen to Zen 3, Intel's clients before 2020): what [Guess]
//     says
//
// share is what one worker has of the caches.
func FamilyBlocking(k *gemm.Kernel, share CacheSizes) (b gemm.Blocking, family string) {
	blockOfB := int64(k.KC) * int64(k.NC) * int64(k.Type.Size())
	if 4*blockOfB <= 3*share.L2 {
		return k.Blocking, "level 2 cache as the kernel's blocks want it"
	}
	return Guess(k, share), "small level 2 cache"
}
