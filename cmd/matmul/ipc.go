package main

import (
	"time"

	"github.com/spf13/cobra"

	"matmul/internal/ipc"
	"matmul/internal/plots"
	"matmul/tune"
)

const ipcHelp = `ipc measures what it costs to hand data to another process of this machine:
through matmul's mailbox, with the receiver looking for it or asleep, through a
Unix socket (SOCK_SEQPACKET) and through a pipe, from 64 bytes to 16 MiB. In
shared memory the data stay where they are; the others copy them.

It fits the model T(x) = sigma + x/B to every other size, shows how well that
predicts the sizes in between, and derives the size x* at which two ways cost the
same, the smallest tile that is worth its message, and the size of job below
which a master that multiplies alone is done sooner.`

func newIPC() *cobra.Command {
	var plot string
	var asJSON bool
	var show *progressFlags
	cmd := &cobra.Command{
		Use:   "ipc",
		Short: "Measure the cost of messages between processes",
		Long:  ipcHelp,
		Example: `  matmul ipc
  matmul ipc --plot ipc.svg`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runIPC(cmd, plot, asJSON, show) },
	}
	cmd.Flags().StringVar(&plot, "plot", "", "draw the curves to a `FILE`, .svg or .png")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	show = progressFlag(cmd)
	return cmd
}

func runIPC(cmd *cobra.Command, plot string, asJSON bool, flags *progressFlags) error {
	show, err := newProgress(flags)
	if err != nil {
		return err
	}
	file, err := createPlot(plot)
	if err != nil {
		return err
	}
	defer file.Abort()
	m, l := tune.Host().Detect()
	bar, start := show.start("ipc", nil), time.Now()
	curves, err := ipc.Measure(cmd.Context(), ipc.Options{CPUs: l.Pins(m, 2), Effort: 1, Progress: bar.set})
	bar.end()
	if err != nil {
		return err
	}
	r := newIPCReport(curves, l.Workers(m).N)
	r.Seconds = time.Since(start).Seconds()
	if err := r.print(cmd.OutOrStdout(), asJSON); err != nil {
		return err
	}
	if file != nil {
		return file.Write(r.panel())
	}
	return nil
}

// createPlot makes sure that the file of --plot can be written; nil if there is
// none.
func createPlot(path string) (*plots.File, error) {
	if path == "" {
		return nil, nil
	}
	if err := plots.CheckName(path); err != nil {
		return nil, flagError("plot", err)
	}
	file, err := plots.Create(path)
	if err != nil {
		return nil, inputf(path, "cannot be drawn to: %v", reason(err))
	}
	return file, nil
}
