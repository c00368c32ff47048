package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/shmmat"
	"matmul/tune"
)

// infoReport is what info prints: what detection found, and what this program
// makes of it.
type infoReport struct {
	Version string `json:"version"`
	*tune.Info
	ISAs     []string      `json:"isas"`
	Kernels  []string      `json:"kernels"`
	Segments []segmentInfo `json:"segments"`
	// Abilities are what this program can do without. Taken says which cores
	// other matmuls have pinned workers to.
	Abilities []ability `json:"abilities"`
	Taken     string    `json:"taken,omitempty"`
}

// segmentInfo says whether a kind of segment works here.
type segmentInfo struct {
	Kind  string `json:"kind"`
	Works bool   `json:"works"`
	Why   string `json:"why_not,omitempty"`
}

func newInfo() *cobra.Command {
	var asJSON bool
	var caches cacheFlags
	cmd := &cobra.Command{
		Use:   "info",
		Short: "Show what this machine has and what may be used",
		Args:  arguments(),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	caches.register(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		system, err := caches.system()
		if err != nil {
			return err
		}
		r, out := newInfoReport(system), cmd.OutOrStdout()
		if !asJSON {
			r.print(out)
			return nil
		}
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	return cmd
}

func newInfoReport(system tune.System) infoReport {
	r := infoReport{Version: version, Info: system.Info()}
	for _, isa := range gemm.Supported() {
		r.ISAs = append(r.ISAs, isa.String())
	}
	for _, t := range []elem.Type{elem.Float64, elem.Float32} {
		if k, err := gemm.Lookup(gemm.Auto, t); err == nil {
			r.Kernels = append(r.Kernels, t.String()+" "+k.String())
		}
	}
	for _, kind := range shmmat.Shared() {
		s := segmentInfo{Kind: kind.String(), Works: true}
		if err := trySegment(kind); err != nil {
			s.Works, s.Why = false, err.Error()
		}
		r.Segments = append(r.Segments, s)
	}
	r.Abilities, r.Taken = abilities("."), takenCores(r.Machine, r.Limits)
	return r
}

// trySegment makes and maps a small segment.
func trySegment(kind shmmat.Kind) error {
	l, err := shmmat.NewLayout(shmmat.Lengths{shmmat.C: 1 << 12})
	if err != nil {
		return err
	}
	s, err := shmmat.Create(kind, l, os.TempDir())
	if err != nil {
		return err
	}
	defer s.Close()
	v, err := s.Map(shmmat.MultiplyRights())
	if err != nil {
		return err
	}
	return v.Close()
}

func (r *infoReport) print(out io.Writer) {
	m := r.Machine
	fmt.Fprintf(out, "processor     %s\n", m.Processor)
	fmt.Fprintf(out, "cores         %d physical, %d logical, %d NUMA node(s)\n", len(m.Cores), len(m.CPUs), len(m.Nodes))
	fmt.Fprintf(out, "instructions  %s (kernels: %s)\n", strings.Join(r.ISAs, ", "), strings.Join(r.Kernels, ", "))
	for _, line := range cacheLines(m.Caches) {
		fmt.Fprintf(out, "cache         %s\n", line)
	}
	fmt.Fprintf(out, "workers       %d by default: %s\n", r.Workers.N, r.Workers.Why)
	fmt.Fprintf(out, "per worker    %s of L1, %s of L2, %s of L3\n",
		tune.FormatBytes(r.PerWorker.L1), tune.FormatBytes(r.PerWorker.L2), tune.FormatBytes(r.PerWorker.L3))
	for i, line := range r.Memory.Why {
		fmt.Fprintf(out, "%-13s %s\n", map[bool]string{true: "memory"}[i == 0], line)
	}
	if r.Limits.SharedMemory >= 0 {
		fmt.Fprintf(out, "/dev/shm      %s free\n", tune.FormatBytes(r.Limits.SharedMemory))
	}
	for _, s := range r.Segments {
		if s.Works {
			fmt.Fprintf(out, "segment       %s: works\n", s.Kind)
		} else {
			fmt.Fprintf(out, "segment       %s: %s\n", s.Kind, s.Why)
		}
	}
	fmt.Fprintf(out, "huge pages    private: %s, shared: %s, of %s\n", r.HugePages.Enabled, r.HugePages.Shmem, tune.FormatBytes(r.HugePages.Size))
	r.printAbilities(out)
	if r.Taken != "" {
		fmt.Fprintf(out, "taken         %s\n", r.Taken)
	}
	if r.Limits.Advice != "" {
		fmt.Fprintf(out, "warning       %s\n", r.Limits.Advice)
	}
	for _, w := range slices.Concat(m.Warnings, r.Limits.Warnings) {
		fmt.Fprintf(out, "warning       %s\n", w)
	}
}

// printAbilities prints what works, and what is done without.
func (r *infoReport) printAbilities(out io.Writer) {
	var works []string
	for _, a := range r.Abilities {
		if a.Works {
			works = append(works, a.Name)
		}
	}
	if len(works) > 0 {
		fmt.Fprintf(out, "has           %s\n", strings.Join(works, ", "))
	}
	for _, a := range r.Abilities {
		if !a.Works {
			fmt.Fprintf(out, "does without  %s (%s): %s\n", a.Name, a.Why, a.Without)
		}
	}
}

// cacheLines describes caches, those that are alike in one line.
func cacheLines(caches []tune.Cache) (lines []string) {
	counts := map[string]int{}
	var order []string
	for _, c := range caches {
		text := fmt.Sprintf("L%d %s, %s, %d ways, lines of %d bytes, shared by %d processor(s), from %s",
			c.Level, strings.ToLower(c.Type), tune.FormatBytes(c.Size), c.Ways, c.Line, len(c.CPUs), c.Source)
		if counts[text]++; counts[text] == 1 {
			order = append(order, text)
		}
	}
	for _, text := range order {
		lines = append(lines, fmt.Sprintf("%d × %s", counts[text], text))
	}
	return lines
}
