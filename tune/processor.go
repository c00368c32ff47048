package tune

import (
	"cmp"
	"runtime"
	"slices"
	"strings"
)

// processor returns the processor's name: the kernel's, the processor's own, or
// what the board is called.
func (t *tree) processor(id CPUID) string {
	info := t.cpuinfo()
	if names := info["model name"]; len(names) > 0 {
		return names[0]
	}
	if parts := armParts(info); len(parts) > 0 {
		return strings.Join(parts, " + ")
	}
	for _, key := range []string{"cpu model", "uarch", "cpu", "Processor"} {
		if names := info[key]; len(names) > 0 {
			return names[0]
		}
	}
	return cmp.Or(id.Brand, "unknown "+runtime.GOARCH+" processor")
}

// cpuinfo returns the distinct values of each key of /proc/cpuinfo, which is
// read once: the kernel may ask every processor for its clock to write it.
func (t *tree) cpuinfo() map[string][]string {
	if t.info != nil {
		return t.info
	}
	t.info = make(map[string][]string)
	const longest, most = 100, 16
	for _, pair := range t.fields("/proc/cpuinfo") {
		key, value := pair[0], pair[1]
		if value != "" && len(value) <= longest && len(t.info[key]) < most && !slices.Contains(t.info[key], value) {
			t.info[key] = append(t.info[key], value)
		}
	}
	return t.info
}

// An armCore is a core that Arm kernels name by number alone. Sizes are in
// bytes, 0 where the maker of the chip chooses.
type armCore struct {
	name    string
	l1d, l2 int64
}

// armCores is keyed by implementer and part, the fields of MIDR_EL1 that
// /proc/cpuinfo shows. The numbers are in the kernel's
// arch/arm64/include/asm/cputype.h, the sizes in each core's Technical
// Reference Manual (for A64FX, in Fujitsu's Microarchitecture Manual).
var armCores = map[string]armCore{
	"0x41 0xd03": {"Arm Cortex-A53", 0, 0},
	"0x41 0xd05": {"Arm Cortex-A55", 0, 0},
	"0x41 0xd08": {"Arm Cortex-A72", 32 << 10, 0},
	"0x41 0xd0b": {"Arm Cortex-A76", 64 << 10, 0},
	"0x41 0xd0c": {"Arm Neoverse-N1", 64 << 10, 0},
	"0x41 0xd40": {"Arm Neoverse-V1", 64 << 10, 1 << 20},
	"0x41 0xd49": {"Arm Neoverse-N2", 64 << 10, 0},
	"0x41 0xd4f": {"Arm Neoverse-V2", 64 << 10, 0},
	"0x41 0xd84": {"Arm Neoverse-V3", 64 << 10, 0},
	"0x41 0xd85": {"Arm Cortex-X925", 64 << 10, 0},
	"0x41 0xd87": {"Arm Cortex-A725", 64 << 10, 0},
	"0x41 0xd8e": {"Arm Neoverse-N3", 0, 0},
	"0x43 0x0af": {"Marvell ThunderX2", 32 << 10, 256 << 10},
	"0x46 0x001": {"Fujitsu A64FX", 64 << 10, 8 << 20},
	"0x48 0xd01": {"HiSilicon TaiShan v110", 64 << 10, 512 << 10},
	"0xc0 0xac3": {"Ampere-1", 64 << 10, 2 << 20},
	"0xc0 0xac4": {"Ampere-1a", 64 << 10, 2 << 20},
}

// armParts names the distinct cores of an Arm processor.
func armParts(info map[string][]string) []string {
	var names []string
	for _, implementer := range info["CPU implementer"] {
		for _, part := range info["CPU part"] {
			name := "Arm implementer " + implementer + " part " + part
			if core, ok := armCores[implementer+" "+part]; ok {
				name = core.name
			}
			names = append(names, name)
		}
	}
	return names
}

// armCaches returns the sizes of the one kind of core that an Arm processor
// has; nothing for a mixture.
func (t *tree) armCaches() armCore {
	info := t.cpuinfo()
	if len(info["CPU implementer"]) != 1 || len(info["CPU part"]) != 1 {
		return armCore{}
	}
	return armCores[info["CPU implementer"][0]+" "+info["CPU part"][0]]
}
