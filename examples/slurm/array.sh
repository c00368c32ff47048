#!/bin/bash
# Ten products, A0.npy·B.npy to A9.npy·B.npy, each as a job of its own. Those
# that are there already are left alone, so the array can be submitted again.
#
#SBATCH --job-name=products
#SBATCH --array=0-9
#SBATCH --nodes=1 --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --time=01:00:00

out=C$SLURM_ARRAY_TASK_ID.npy
if [ -e "$out" ] && [ ! -e "$out.journal" ]; then
	exit 0
fi
exec srun --cpus-per-task="$SLURM_CPUS_PER_TASK" \
	matmul run "A$SLURM_ARRAY_TASK_ID.npy" B.npy -o "$out" --resume
