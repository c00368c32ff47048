package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"matmul/tune"
)

// storeOf returns the store that a command of tune works on.
func storeOf(p *poolFlags) (tune.Store, error) {
	s, ok := p.store()
	switch {
	case p.profile == noProfile:
		return s, usagef("--profile none: want a directory")
	case !ok:
		return s, advise(errors.New("find profiles: neither $XDG_CONFIG_HOME nor $HOME is set"), "use --profile DIR")
	}
	return s, nil
}

// shown is a profile as show prints it.
type shown struct {
	Path    string        `json:"path"`
	Profile *tune.Profile `json:"profile,omitempty"`
	Error   string        `json:"error,omitempty"`
}

func newTuneShow() *cobra.Command {
	p := &poolFlags{}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show the stored profiles",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := storeOf(p)
			if err != nil {
				return err
			}
			all, err := s.All()
			if err != nil {
				return inputf(s.Dir, "%v", reason(err))
			}
			if !asJSON && len(all) == 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "no profiles in %s\n", oneLine(s.Dir))
			}
			for _, e := range all {
				if err := show(cmd.OutOrStdout(), e, asJSON); err != nil {
					return err
				}
			}
			return nil
		},
	}
	p.registerProfile(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per profile and line")
	return cmd
}

func show(out io.Writer, e tune.Entry, asJSON bool) error {
	s := shown{Path: e.Path, Profile: e.Profile}
	if e.Err != nil {
		s.Error = e.Err.Error()
	}
	if asJSON {
		return json.NewEncoder(out).Encode(s)
	}
	fmt.Fprintf(out, "%s\n", oneLine(s.Path))
	if e.Err != nil {
		_, err := fmt.Fprintf(out, "  not usable: %s\n", oneLine(s.Error))
		return err
	}
	p := s.Profile
	fmt.Fprintf(out, "  for      %s\n  chosen   %s\n  tuned    %s\n", p.Key, oneLine(p.Choice.String()), p.Tuned.Format("2006-01-02 15:04 MST"))
	for _, m := range p.Measured {
		fmt.Fprintf(out, "  %-8s %.1f GFLOP/s, %.3f of the untuned time\n", sizeText(m.Problem()), m.GFLOPS, m.Ratio)
	}
	return nil
}

func newTuneExport() *cobra.Command {
	p := &poolFlags{}
	var output string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write all usable profiles as lines of JSON",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := storeOf(p)
			if err != nil {
				return err
			}
			lines, err := exported(s)
			if err != nil {
				return err
			}
			if output == "" {
				_, err := cmd.OutOrStdout().Write(lines)
				return err
			}
			return writeNew(output, lines)
		},
	}
	p.registerProfile(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "new `FILE` to write to (default: standard output)")
	return cmd
}

// exported returns the usable profiles of a store, one a line.
func exported(s tune.Store) ([]byte, error) {
	all, err := s.All()
	if err != nil {
		return nil, inputf(s.Dir, "%v", reason(err))
	}
	var lines bytes.Buffer
	for _, e := range all {
		if e.Err != nil {
			warn("%s is left out: %v", e.Path, e.Err)
		} else if err := json.NewEncoder(&lines).Encode(e.Profile); err != nil {
			return nil, err
		}
	}
	return lines.Bytes(), nil
}

// writeNew writes a file that is not there yet.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return inputf(path, "cannot be created: %v", reason(err))
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(path) // half of it is of no use
	}
	return err
}

func newTuneImport() *cobra.Command {
	p := &poolFlags{}
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Store profiles that were exported",
		Args:  arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := storeOf(p)
			if err != nil {
				return err
			}
			profiles, err := readExported(args[0])
			if err != nil {
				return err
			}
			for _, profile := range profiles {
				if err := s.Save(profile); err != nil {
					return storeError(s.Path(profile.Key), err)
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d profile(s) stored in %s\n", len(profiles), oneLine(s.Dir))
			return nil
		},
	}
	p.registerProfile(cmd)
	return cmd
}

// readExported reads all profiles of a file, or none.
func readExported(path string) (all []*tune.Profile, err error) {
	data, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	for d := json.NewDecoder(bytes.NewReader(data)); ; {
		var one json.RawMessage
		err := d.Decode(&one)
		if err == io.EOF {
			break
		}
		var p *tune.Profile
		if err == nil {
			p, err = tune.ReadProfile(bytes.NewReader(one))
		}
		if err != nil {
			return nil, inputf(path, "profile %d: %v", len(all)+1, err)
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		return nil, inputf(path, "no profiles")
	}
	return all, nil
}

func newTuneReset() *cobra.Command {
	p := &poolFlags{}
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Remove all stored profiles",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := storeOf(p)
			if err != nil {
				return err
			}
			n, err := s.Reset()
			if err != nil {
				return inputf(s.Dir, "%v", reason(err))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d profile(s) removed\n", n)
			return nil
		},
	}
	p.registerProfile(cmd)
	return cmd
}
