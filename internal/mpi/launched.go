//go:build mpi

package mpi

import "os"

// launchers are the variables by which a launcher tells a process its rank:
// Hydra and Slurm's pmi2, PMIx (Open MPI 5, Slurm), Open MPI, MVAPICH, PALS.
var launchers = []string{"PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK", "PALS_RANKID"}

// Launched reports whether a launcher of MPI has started this process. It can
// be called before [Init]: libraries start services of their own for a process
// that initialises MPI without a launcher.
func Launched() bool {
	for _, key := range launchers {
		if os.Getenv(key) != "" {
			return true
		}
	}
	return false
}
