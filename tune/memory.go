package tune

import "fmt"

// A Budget is the memory that may be used now, and the sum behind it.
type Budget struct {
	// Bytes is the least that any limit leaves. Nothing is held back for the
	// rest of the program: that is for the caller to add to its need.
	Bytes int64 `json:"bytes"`
	// Limiter is the limit that leaves the least.
	Limiter MemoryLimit `json:"limiter"`
	// Why has a line for each limit, the deciding one marked.
	Why []string `json:"why"`
}

// Memory returns the bytes that this process and its workers may use now, on
// top of what they use already. [Limits.SharedMemory] is not in it.
func (l *Limits) Memory() Budget {
	var b Budget
	least := -1
	for i, limit := range l.MemoryLimits {
		if least < 0 || limit.Free() < l.MemoryLimits[least].Free() {
			least = i
		}
	}
	if least < 0 {
		return b
	}
	b.Limiter = l.MemoryLimits[least]
	b.Bytes = b.Limiter.Free()
	for i, limit := range l.MemoryLimits {
		line := limit.String()
		if i == least {
			line += "  <- the least"
		}
		b.Why = append(b.Why, line)
	}
	return b
}

// String explains the limit: "SOURCE: LIMIT - USED used = FREE".
func (l MemoryLimit) String() string {
	return fmt.Sprintf("%s: %s - %s used = %s left",
		l.Source, FormatBytes(l.Limit), FormatBytes(l.Used), FormatBytes(l.Free()))
}

// FormatBytes writes a number of bytes for people, with a binary unit: "512 B",
// "32 KiB", "1.5 GiB".
func FormatBytes(n int64) string {
	const units = "KMGTPE"
	if -1024 < n && n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1024, 0
	for (v >= 1023.95 || v <= -1023.95) && unit < len(units)-1 {
		v, unit = v/1024, unit+1
	}
	if v == float64(int64(v)) {
		return fmt.Sprintf("%d %ciB", int64(v), units[unit])
	}
	return fmt.Sprintf("%.1f %ciB", v, units[unit])
}
