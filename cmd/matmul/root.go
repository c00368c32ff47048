package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

const rootHelp = `matmul multiplies large dense matrices: C = alpha*op(A)*op(B) + beta*C0.

The bits of C depend on the inputs alone: not on the number of workers, the
tile sizes, the instruction set, or a crash in between.`

// newRoot returns the command tree. began is set when a command's own work
// begins: after its flags and arguments were found to make sense.
func newRoot(began *bool) *cobra.Command {
	root := &cobra.Command{
		Use:           "matmul",
		Short:         "Multiply large dense matrices",
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(*cobra.Command, []string) {
			*began = true
		},
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("no command: %s --help lists them", cmd.CommandPath())
		},
	}
	root.CompletionOptions.DisableDescriptions = false
	root.AddCommand(newRun(), newVerify(), newBench(), newGen(), newInfo(), newVersion(), newMan(),
		&cobra.Command{Use: "exit-codes", Short: "The exit codes of all commands", Long: exitCodesHelp})
	return root
}

// output is a command's standard output: what is written is checked, so that a
// full disk or a closed pipe is an error and not a result that looks complete.
type output struct {
	cmd *cobra.Command
	err error
}

func (o *output) printf(format string, args ...any) {
	if o.err == nil {
		_, o.err = fmt.Fprintf(o.cmd.OutOrStdout(), format, args...)
	}
}

func (o *output) result() error {
	if o.err != nil {
		return fmt.Errorf("write result: %w", o.err)
	}
	return nil
}
