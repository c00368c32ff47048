package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

const rootHelp = `matmul multiplies large dense matrices: C = alpha*op(A)*op(B) + beta*C0.

The bits of C depend on the inputs alone: not on the number of workers, the
tile sizes, the instruction set, or a crash in between.`

// newRoot returns the command tree, and whether a command's own work has
// begun: after its flags and arguments were found to make sense.
func newRoot(stdout io.Writer) (root *cobra.Command, began *bool) {
	root = &cobra.Command{
		Use:           "matmul",
		Short:         "Multiply large dense matrices",
		Long:          rootHelp,
		Version:       versionText(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noSuchCommand,
		RunE:          func(*cobra.Command, []string) error { return usagef("no command") },
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetOut(stdout)
	root.SetHelpCommand(newHelp())
	root.AddCommand(newRun(), newBatch(), newVerify(), newBench(), newTune(), newIPC(), newTrace(), newGen(), newInfo(), newVersion(), newMan(), newExitCodes())
	addCompletion(root)
	began = new(bool)
	for _, cmd := range root.Commands() {
		noteBegin(cmd, began)
	}
	return root, began
}

// noteBegin makes a command and those below it tell when their work begins.
func noteBegin(cmd *cobra.Command, began *bool) {
	if work := cmd.RunE; work != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*began = true
			return work(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		noteBegin(sub, began)
	}
}

// noSuchCommand refuses arguments of the root: they are no command's name.
func noSuchCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	root.SuggestionsMinimumDistance = 2
	err := fmt.Errorf("unknown command %q", args[0])
	if near := root.SuggestionsFor(args[0]); len(near) > 0 {
		err = fmt.Errorf("%w: did you mean %s?", err, strings.Join(near, " or "))
	}
	return err
}

// arguments wants exactly the arguments that are named.
func arguments(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) == len(names):
			return nil
		case len(names) == 0:
			return fmt.Errorf("unexpected argument %q", args[0])
		}
		return fmt.Errorf("%d argument(s): want %d, %s", len(args), len(names), strings.Join(names, " "))
	}
}

// newHelp returns cobra's help command, except that it is an error to ask for
// what is not there.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usagef("no help about %q", strings.Join(args, " "))
			}
			return about.Help()
		},
	}
}

// addCompletion adds cobra's completion command, except that it is an error to
// name a shell that is not there.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			cmd.Args = cobra.ArbitraryArgs
			cmd.RunE = func(_ *cobra.Command, args []string) error {
				const want = "want bash, zsh, fish or powershell"
				if len(args) == 0 {
					return usagef("no shell: " + want)
				}
				return usagef("shell %q: "+want, args[0])
			}
		}
	}
}
