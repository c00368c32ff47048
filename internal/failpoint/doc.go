// Package failpoint makes a process end, stop or fail at a named step of its
// work, so that tests can show that every such end is survived.
//
// The hooks are there only in programs built with the tag failpoint; without it
// Hit is an empty function and costs nothing. The environment says which hook
// is armed, and worker processes inherit it from their master:
//
//	MATMUL_FAILPOINT=NAME:NTH:ACTION   the hook, which hit of it, and what to do
//	MATMUL_FAILPOINT=NAME:FROM-TO:ACTION   the same for several hits
//	MATMUL_FAILPOINT_HITS=FILE         counts hits across processes (optional)
//
// NTH counts from 1; 0 counts hits and does nothing. Without a file each process
// counts its own. The file must exist; every hit of the armed hook, in whatever
// process, appends one byte, so exactly one hit is the NTH, and the file's size
// is the number of hits.
//
// The actions:
//
//	kill    SIGKILL to this process, as the OOM killer does
//	stop    SIGSTOP to this process; Hit returns when it is continued
//	exit    exit status 1, without cleaning up
//	error   Hit returns an error that wraps ErrInjected
//	flip=N  bit N of the memory that Flip is told of, modulo its length, changes
package failpoint

import "errors"

// ErrInjected is what a hook returns when its action is error.
var ErrInjected = errors.New("injected failure")
