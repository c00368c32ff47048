package main

import (
	"github.com/spf13/cobra"

	"matmul/tune"
)

// cacheFlags are the flags that replace the sizes of caches that were found.
type cacheFlags struct{ l1, l2, l3 string }

func (c *cacheFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.l1, "l1", "", "take level 1 data caches to have this `SIZE`, as in 32K (default: as found)")
	f.StringVar(&c.l2, "l2", "", "take level 2 caches to have this `SIZE` (default: as found)")
	f.StringVar(&c.l3, "l3", "", "take level 3 caches to have this `SIZE` (default: as found)")
}

// system returns this machine, with the caches that the flags say.
func (c *cacheFlags) system() (tune.System, error) {
	s := tune.Host()
	for _, f := range []struct {
		name, text string
		to         *int64
	}{{"l1", c.l1, &s.Caches.L1}, {"l2", c.l2, &s.Caches.L2}, {"l3", c.l3, &s.Caches.L3}} {
		if f.text == "" {
			continue
		}
		size, err := tune.ParseSize(f.text)
		if err != nil {
			return s, flagError(f.name, err)
		}
		if *f.to = size; size == 0 {
			return s, usagef("--%s 0: want a size such as 32K", f.name)
		}
	}
	if err := s.Caches.Check(); err != nil {
		return s, usageError{err}
	}
	return s, nil
}
