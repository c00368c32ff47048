package matfile

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"

	"matmul/internal/failpoint"
	"matmul/internal/sys"
)

// A place is where an output goes and what is there of it by now. All names
// are relative to the open directory, which may be moved meanwhile.
type place struct {
	dir  *os.File
	name string // the target
	part string // a temporary name that is ours to remove; "" if there is none
	// lasting says that part is to stay if the output cannot be published, and
	// found that it was there before.
	lasting, found bool
}

// openPart opens a new file in the target's directory: one without a name
// where the system can do that and name it later, else a named part file.
func openPart(to target, unnamed bool) (*os.File, place, error) {
	dir, err := os.Open(to.dir)
	if err != nil {
		return nil, place{}, err
	}
	p := place{dir: dir, name: to.name}
	if unnamed {
		if fd, err := sys.OpenUnnamed(p.fd()); err == nil {
			if sys.CanLinkUnnamed(fd) {
				return os.NewFile(uintptr(fd), to.name), p, nil
			}
			syscall.Close(fd)
		}
	}
	part := partName()
	fd, err := sys.OpenNamed(p.fd(), part)
	if err != nil {
		dir.Close()
		return nil, place{}, err
	}
	p.part = part
	return os.NewFile(uintptr(fd), part), p, nil
}

// partName is short, whatever the target's name is: names have limits.
func partName() string { return fmt.Sprintf(".matmul-%016x.part", rand.Uint64()) }

func (p *place) fd() int { return int(p.dir.Fd()) }

// publish gives file the target's name, for good. If it fails, the target is
// what it was, and p.part what is to be removed.
func (p *place) publish(file *os.File, force bool, sync func(*os.File) error) error {
	n, err := p.enter(file, force)
	if err != nil {
		return err
	}
	return n.settle(p.syncDir(sync))
}

// A naming is a target that has got its file, as long as its directory is not
// synced.
type naming struct {
	p    *place
	how  way
	part string // the name that the file had before
}

// way is how a file got its name.
type way uint8

const (
	added       way = iota // the name was new
	exchanged              // with the old file, which has the temporary name now
	overwritten            // the old file is gone
)

// enter gives file the target's name. The directory is to be synced then, and
// its outcome given to settle.
func (p *place) enter(file *os.File, force bool) (n naming, err error) {
	n = naming{p: p, part: p.part}
	err = p.add(file)
	if force && errors.Is(err, os.ErrExist) {
		n.how, err = p.replace(file)
	}
	return n, err
}

// settle ends a naming: for good if its directory was synced, else by undoing
// it as far as that can be.
func (n naming) settle(err error) error {
	p := n.p
	switch {
	case err == nil && n.how == exchanged:
		if err = failpoint.Hit("commit.replaced"); err == nil {
			err = sys.Unlink(p.fd(), p.part)
		}
		if err == nil {
			p.part = ""
			return nil
		}
	case err == nil:
		return nil
	}
	switch n.how {
	case added:
		return alsoFailed(err, p.takeBack(n.part))
	case exchanged:
		return alsoFailed(err, sys.Exchange(p.fd(), p.part, p.name))
	}
	return fmt.Errorf("the new file is in place, but may not survive a power cut: %w", err)
}

// add names file as the target if nothing has that name.
func (p *place) add(file *os.File) error {
	if p.part == "" {
		return sys.LinkUnnamed(int(file.Fd()), p.fd(), p.name)
	}
	err := sys.RenameNew(p.fd(), p.part, p.name)
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSYS) {
		err = p.addByLink()
	}
	if err == nil {
		p.part = ""
	}
	return err
}

// takeBack undoes add, which took the name part.
func (p *place) takeBack(part string) error {
	if !p.lasting {
		return sys.Unlink(p.fd(), p.name)
	}
	return sys.Rename(p.fd(), p.name, part)
}

// addByLink does it where the file system cannot rename without replacing.
func (p *place) addByLink() error {
	if err := sys.Link(p.fd(), p.part, p.name); err != nil {
		return err
	}
	if err := sys.Unlink(p.fd(), p.part); err != nil {
		return alsoFailed(err, sys.Unlink(p.fd(), p.name))
	}
	return nil
}

// replace puts file in the place of the target. The two swap names where that
// is possible, so that the old one can come back.
func (p *place) replace(file *os.File) (way, error) {
	if p.part == "" {
		part := partName()
		if err := sys.LinkUnnamed(int(file.Fd()), p.fd(), part); err != nil {
			return exchanged, err
		}
		p.part = part
	}
	err := sys.Exchange(p.fd(), p.part, p.name)
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSYS) {
		return overwritten, p.overwrite()
	}
	return exchanged, err
}

// overwrite replaces where names cannot be swapped, without a way back.
func (p *place) overwrite() error {
	err := sys.Rename(p.fd(), p.part, p.name)
	if err == nil {
		p.part = ""
	}
	return err
}

// alsoFailed returns err, in one line with the failure of what was to undo
// its consequences, if any.
func alsoFailed(err, undo error) error {
	if undo == nil {
		return err
	}
	return fmt.Errorf("%w (and undoing it failed: %w)", err, undo)
}

// syncDir makes the names durable. Some file systems have nothing to sync in
// a directory, and say so by EINVAL or ENOTSUP.
func (p *place) syncDir(sync func(*os.File) error) error {
	err := failpoint.Hit("commit.named")
	if err == nil {
		err = sync(p.dir)
	}
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sync the directory: %w", bare(err))
	}
	return nil
}

// clear removes the temporary name.
func (p *place) clear() error {
	if p.part == "" {
		return nil
	}
	err := sys.Unlink(p.fd(), p.part)
	p.part = ""
	return err
}
