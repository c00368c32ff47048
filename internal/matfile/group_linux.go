package matfile

import (
	"fmt"
	"os"
	"sync"
)

// syncers is how many files of a group are synced at a time: file systems with
// a journal write it once for all that wait for it.
const syncers = 16

// CommitAll commits outputs as [Output.Commit] does each of them, with the
// fsyncs of files beside each other and one fsync of each directory for all that
// lie in it. It returns an error for each; one that fails does not keep the
// others from being committed, unless its directory cannot be synced.
func CommitAll(outputs []*Output) []error {
	errs := make([]error, len(outputs))
	for _, o := range outputs {
		o.mu.Lock()
		defer o.mu.Unlock()
	}
	each(outputs, func(i int, o *Output) {
		if o.done != nil {
			errs[i] = fmt.Errorf("commit %s: %w", printable(o.Path), o.done)
		} else {
			errs[i] = o.synced()
		}
	})
	names := make([]naming, len(outputs))
	dirs := map[directory]error{}
	for i, o := range outputs {
		if errs[i] != nil {
			continue
		}
		var err error
		if names[i], err = o.place.enter(o.file, o.force); err != nil {
			errs[i] = o.committed(err)
		}
	}
	for i, o := range outputs {
		if errs[i] != nil {
			continue
		}
		d := directoryOf(o.place.dir)
		err, synced := dirs[d]
		if !synced {
			err = o.place.syncDir(o.Fsync)
			dirs[d] = err
		}
		errs[i] = o.committed(names[i].settle(err))
	}
	return errs
}

// each calls do for all outputs, for some of them at a time.
func each(outputs []*Output, do func(i int, o *Output)) {
	var wg sync.WaitGroup
	turn := make(chan struct{}, syncers)
	for i, o := range outputs {
		turn <- struct{}{}
		wg.Go(func() {
			do(i, o)
			<-turn
		})
	}
	wg.Wait()
}

// A directory is one open directory, by whatever name it was opened.
type directory struct{ dev, ino uint64 }

func directoryOf(f *os.File) directory {
	st, err := f.Stat()
	if err != nil {
		return directory{ino: uint64(f.Fd())} // itself alone
	}
	id := identify(st)
	return directory{id.dev, id.ino}
}
