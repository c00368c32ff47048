package tune

import (
	"strings"
	"testing"
)

// TestTheShareOfASlurmTask tries what srun may have passed on to a task.
func TestTheShareOfASlurmTask(t *testing.T) {
	for _, test := range []struct {
		name     string
		affinity []int
		env      string
		workers  int
		source   string // of the limit of processors, "" for none
		advice   string // begins so; "" for none
	}{
		{"no job", []int{0, 1, 2, 3}, "", 4, "", ""},
		{"srun has --cpus-per-task", []int{0, 1, 2, 3}, "SLURM_STEP_ID=0 SLURM_CPUS_PER_TASK=4 SLURM_CPUS_ON_NODE=4 SLURM_JOB_CPUS_PER_NODE=4", 4, "SLURM_CPUS_PER_TASK", ""},
		{"the script of a job", []int{0, 1, 2, 3}, "SLURM_CPUS_PER_TASK=8 SLURM_JOB_CPUS_PER_NODE=8", 4, "SLURM_CPUS_PER_TASK", ""},
		{"srun has not, and its environment has that of the script", []int{2}, "SLURM_STEP_ID=0 SLURM_CPUS_PER_TASK=4 SLURM_STEP_TASKS_PER_NODE=1", 1, "SLURM_CPUS_PER_TASK",
			"the Slurm job has 4 processors for this task (SLURM_CPUS_PER_TASK), and srun lets it use 1: pass --cpus-per-task=4 to srun"},
		{"srun has not, and nothing is bound", []int{0, 1, 2, 3}, "SLURM_STEP_ID=0 SLURM_CPUS_ON_NODE=1 SLURM_JOB_CPUS_PER_NODE=4(x2) SLURM_STEP_TASKS_PER_NODE=1(x2)", 1, "SLURM_CPUS_ON_NODE",
			"the Slurm job has 4 processors for this task (SLURM_JOB_CPUS_PER_NODE / SLURM_STEP_TASKS_PER_NODE), and srun lets it use 1"},
		{"two tasks share the node", []int{0, 1, 2, 3}, "SLURM_STEP_ID=0 SLURM_CPUS_ON_NODE=4 SLURM_JOB_CPUS_PER_NODE=4 SLURM_STEP_TASKS_PER_NODE=2", 2, "SLURM_CPUS_ON_NODE / SLURM_STEP_TASKS_PER_NODE", ""},
		{"more tasks than processors", []int{0}, "SLURM_STEP_ID=0 SLURM_CPUS_ON_NODE=1 SLURM_JOB_CPUS_PER_NODE=1 SLURM_STEP_TASKS_PER_NODE=3", 1, "SLURM_CPUS_ON_NODE / SLURM_STEP_TASKS_PER_NODE", ""},
		{"nodes differ", []int{0, 1, 2, 3}, "SLURM_STEP_ID=0 SLURM_CPUS_ON_NODE=4 SLURM_JOB_CPUS_PER_NODE=4(x2),8 SLURM_STEP_TASKS_PER_NODE=1(x2),2", 4, "SLURM_CPUS_ON_NODE", ""},
		{"nonsense", []int{0, 1}, "SLURM_STEP_ID=0 SLURM_CPUS_ON_NODE=x SLURM_JOB_CPUS_PER_NODE=-3 SLURM_STEP_TASKS_PER_NODE=99999999999", 2, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			env := map[string]string{}
			for field := range strings.FieldsSeq(test.env) {
				key, value, _ := strings.Cut(field, "=")
				env[key] = value
			}
			s := System{Root: t.TempDir(), Getenv: func(key string) string { return env[key] },
				Affinity: func() ([]int, error) { return test.affinity, nil }}
			m, l := s.Detect()
			source := ""
			if len(l.CPULimits) > 0 {
				source = l.CPULimits[0].Source
			}
			if n := l.Workers(m).N; n != test.workers || source != test.source {
				t.Errorf("%d workers, a limit by %q; want %d by %q", n, source, test.workers, test.source)
			}
			if !strings.HasPrefix(l.Advice, test.advice) || test.advice == "" && l.Advice != "" {
				t.Errorf("advice %q, want %q", l.Advice, test.advice)
			}
		})
	}
}
