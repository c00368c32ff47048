#!/bin/bash
# A product that may take longer than its time limit: a minute before the end
# Slurm sends USR1 to this script, matmul saves what is finished and ends with
# status 75, and the job is queued again. The next run goes on from there.
#
#SBATCH --job-name=product
#SBATCH --nodes=1 --ntasks=1
#SBATCH --cpus-per-task=16
#SBATCH --mem=64G
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@60
#SBATCH --requeue
#SBATCH --open-mode=append

# In the background, since bash acts on a signal only when no command is running
# in the foreground. srun does not take over --cpus-per-task by itself.
srun --cpus-per-task="$SLURM_CPUS_PER_TASK" \
	matmul run A.npy B.npy -o C.npy --resume &
product=$!
trap 'kill -USR1 "$product"' USR1

# A signal that is trapped ends wait, too, with 128 + 10.
while wait "$product"; status=$?; [ "$status" -eq 138 ]; do :; done

if [ "$status" -eq 75 ]; then
	scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
