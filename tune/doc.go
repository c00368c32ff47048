// Package tune chooses every size that matters from what the machine has.
//
// This part of it detects: a [System] is asked for the [Machine] (processor,
// caches, cores, NUMA nodes) and for the [Limits] of this process (affinity,
// control groups, Slurm, memory), from which follow the number of workers,
// where each is pinned, its share of the caches, and the memory that may be
// used.
//
// Contract: detection never fails, never blocks and reads a bounded amount.
// Nothing that it reads is trusted: the files may be made by a container, a
// hypervisor or a user, and whatever is missing or makes no sense is replaced
// by a safe default, the latter with a warning. No choice made here can change
// a bit of a product: only its speed, and whether it is refused for lack of
// memory.
//
// Sizes are in bytes unless a name says otherwise. Logical processors, NUMA
// nodes and packages have the kernel's numbers.
package tune
