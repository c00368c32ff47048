package tune

import (
	"fmt"
	"strconv"
	"strings"
)

// Slurm tells a job's allocation in its environment: "OUTPUT ENVIRONMENT
// VARIABLES" of sbatch(1) and srun(1). Clusters without task confinement have
// nothing else that binds; elsewhere the mask and the cgroup say the same.

// slurmCPUs returns the processors of this task. Where the user asked for none
// per task, those of the job on this node stand in, divided among its tasks.
func (s System) slurmCPUs(t *tree) []CPULimit {
	if n, ok := s.slurmNumber(t, "SLURM_CPUS_PER_TASK"); ok && n > 0 {
		return []CPULimit{{"SLURM_CPUS_PER_TASK", float64(n)}}
	}
	n, ok := s.slurmNumber(t, "SLURM_CPUS_ON_NODE")
	if !ok || n == 0 {
		return nil
	}
	if tasks := s.slurmEach("SLURM_STEP_TASKS_PER_NODE"); tasks > 1 {
		return []CPULimit{{"SLURM_CPUS_ON_NODE / SLURM_STEP_TASKS_PER_NODE", float64(max(n/tasks, 1))}}
	}
	return []CPULimit{{"SLURM_CPUS_ON_NODE", float64(n)}}
}

// slurmEach returns the number that holds for each node in a list such as
// "72(x2)", 0 if it is not the same for all.
func (s System) slurmEach(key string) int64 {
	number, times, _ := strings.Cut(strings.TrimSpace(s.getenv(key)), "(x")
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 1 || strings.Contains(times, ",") {
		return 0
	}
	return n
}

// slurmAdvice says what is wrong with the way in which srun started this task,
// "" if nothing is. From Slurm 22.05 on srun does not take over --cpus-per-task
// from sbatch: a task has one processor then, whatever the job has.
func (s System) slurmAdvice(t *tree, l *Limits) string {
	if s.getenv("SLURM_STEP_ID") == "" {
		return "" // the job's script itself, or no job
	}
	source := "SLURM_CPUS_PER_TASK"
	share, _ := s.slurmNumber(t, source)
	if tasks := s.slurmEach("SLURM_STEP_TASKS_PER_NODE"); share == 0 && tasks > 0 {
		source = "SLURM_JOB_CPUS_PER_NODE / SLURM_STEP_TASKS_PER_NODE"
		share = s.slurmEach("SLURM_JOB_CPUS_PER_NODE") / tasks
	}
	usable := int64(len(l.Affinity))
	for _, limit := range l.CPULimits {
		usable = min(usable, int64(max(limit.CPUs, 1)))
	}
	if usable >= share {
		return ""
	}
	return fmt.Sprintf("the Slurm job has %d processors for this task (%s), and srun lets it use %d: pass --cpus-per-task=%d to srun, or export SRUN_CPUS_PER_TASK=%d",
		share, source, usable, share, share)
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
