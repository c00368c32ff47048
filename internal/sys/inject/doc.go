// Package inject makes single system calls of a command fail, for tests of what
// it does then. It is linked into tests alone.
//
// The kernel stops each call of the command and of what it starts and asks this
// process (a seccomp filter that notifies, Linux 5.5; nothing has to be
// installed). So calls are counted over all threads in the order in which they
// are made, and one of them, and no other, can be answered with an error
// without being done.
//
// Contract: a test's TestMain calls [Main] before anything else. The command
// must be the test's own program, so that the address of a call tells which
// function makes it.
package inject
