package tune

import "fmt"

// nodeDir holds a directory per NUMA node. See the kernel's
// Documentation/ABI/stable/sysfs-devices-node.
const nodeDir = "/sys/devices/system/node"

// A Node is a NUMA node: processors and the memory that is near to them.
type Node struct {
	ID int `json:"id"`
	// CPUs is empty for a node of memory alone (HBM, CXL).
	CPUs []int `json:"cpus"`
	// Memory is its size in bytes, 0 if unknown.
	Memory int64 `json:"memory_bytes"`
}

// nodes reads the NUMA nodes; a machine that names none is one node.
func (t *tree) nodes(online []int) []Node {
	ids, ok := t.cpus(nodeDir + "/online")
	if !ok {
		return []Node{{CPUs: online}}
	}
	nodes := make([]Node, 0, len(ids))
	claimed := 0
	for _, id := range ids {
		node := t.node(id, online)
		claimed += len(node.CPUs)
		nodes = append(nodes, node)
	}
	if claimed == 0 {
		nodes[0].CPUs = online
	}
	return nodes
}

func (t *tree) node(id int, online []int) Node {
	dir := fmt.Sprintf("%s/node%d", nodeDir, id)
	node := Node{ID: id, CPUs: []int{}} // JSON lists are never null
	if s, ok := t.textOrEmpty(dir + "/cpulist"); ok && s != "" {
		list, _ := t.parseCPUs(dir+"/cpulist", s)
		node.CPUs = append(node.CPUs, within(list, online)...)
	}
	node.Memory = t.meminfo(dir + "/meminfo")["MemTotal"]
	return node
}
