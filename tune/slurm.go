package tune

import (
	"strconv"
	"strings"
)

// Slurm tells a job's allocation in its environment: "OUTPUT ENVIRONMENT
// VARIABLES" of sbatch(1) and srun(1). Clusters without task confinement have
// nothing else that binds; elsewhere the mask and the cgroup say the same.

// slurmCPUs returns the processors of this task. The processors of the whole
// node's share of the job stand in where the user asked for none per task.
func (s System) slurmCPUs(t *tree) []CPULimit {
	for _, key := range []string{"SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE"} {
		if n, ok := s.slurmNumber(t, key); ok && n > 0 {
			return []CPULimit{{key, float64(n)}}
		}
	}
	return nil
}

// slurmMemory returns the memory of the job on this node; Slurm counts in MiB,
// and 0 stands for all that the node has. What else the job uses of it is not
// known here.
func (s System) slurmMemory(t *tree) []MemoryLimit {
	var limits []MemoryLimit
	if n, ok := s.slurmSize(t, "SLURM_MEM_PER_NODE"); ok && n > 0 {
		limits = append(limits, MemoryLimit{"SLURM_MEM_PER_NODE", n, 0})
	}
	if each, ok := s.slurmSize(t, "SLURM_MEM_PER_CPU"); ok && each > 0 {
		for _, key := range []string{"SLURM_CPUS_ON_NODE", "SLURM_CPUS_PER_TASK"} {
			if n, ok := s.slurmNumber(t, key); ok && n > 0 && each <= maxBytes/n {
				return append(limits, MemoryLimit{"SLURM_MEM_PER_CPU * " + key, each * n, 0})
			}
		}
	}
	return limits
}

func (s System) slurmNumber(t *tree, key string) (int64, bool) {
	value := strings.TrimSpace(s.getenv(key))
	if value == "" {
		return 0, false
	}
	const most = 1 << 20
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 || n > most {
		t.warn("%s is %s: ignored", key, quote(value))
		return 0, false
	}
	return n, true
}

// slurmSize reads MiB, or a number with a unit as the options of sbatch have it.
func (s System) slurmSize(t *tree, key string) (int64, bool) {
	value := strings.TrimSpace(s.getenv(key))
	if value == "" {
		return 0, false
	}
	if last := value[len(value)-1]; '0' <= last && last <= '9' {
		value += "M"
	}
	n, err := ParseSize(value)
	if err != nil {
		t.warn("%s is %s: ignored", key, quote(value))
		return 0, false
	}
	return n, true
}
