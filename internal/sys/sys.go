// Package sys is the only package that wraps raw system calls: futexes,
// anonymous and System V shared memory, mappings at fixed addresses, socket
// pairs that carry descriptors, and process attributes.
//
// Contract: each function is one system call or one short, well-known
// sequence; it retries EINTR where that is safe, adds no policy, and returns
// the kernel's error unchanged below one verb ("memfd_create: %w"), so that
// errors.Is with a syscall.Errno works. Everything here is Linux 4.18 or
// newer; where a newer kernel is needed the function says so and returns
// ENOSYS or EINVAL on an older one.
package sys

// PageSize is the alignment that mappings are made with. It is the largest
// base page of the processors that Linux runs on (arm64 and ppc64 may use
// 64 KiB), so that layouts do not depend on the machine.
const PageSize = 64 << 10

// HugePageSize is the alignment of regions, in a file and in memory, that lets
// the kernel back them with huge pages on amd64 and arm64.
const HugePageSize = 2 << 20
