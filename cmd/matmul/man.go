package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write the manual pages into a directory",
		Long:    "man writes one manual page for each command, from the same text as --help.",
		Example: "  matmul man /usr/local/share/man/man1",
		Args:    arguments("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if st, err := os.Stat(args[0]); err != nil || !st.IsDir() {
				return inputf(args[0], "is not a directory that exists; make it first")
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true // the same text, the same bytes
			header := &doc.GenManHeader{Section: "1", Source: "matmul " + version, Manual: "matmul"}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("write manual pages: %w", err)
			}
			return nil
		},
	}
}
