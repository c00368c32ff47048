# Hosts of one machine, for the scripts beside this file: network namespaces, with
# one network between them. To be sourced by bash, with the variables library
# (mpich or openmpi) and hosts (their number) set. It needs root and iproute2. What
# it sets up it takes down when the script ends.

net=10.77.33
bridge=mmbr$$
work=$(mktemp -d)
chmod 755 "$work"
list=$(seq -f "$net.%g" -s , "$hosts")

down() {
	local i
	if [ -n "${SHARE:-}" ]; then
		rmdir "$work/groups/mm$$-"* 2>/dev/null || true
		umount "$work/groups" || true
	fi
	if [ -n "${relay:-}" ]; then
		exec {relay_in}>&-
		wait "$relay" || true
	fi
	for i in $(seq "$hosts"); do
		ip netns del "mm$$-$i" 2>/dev/null || true
	done
	ip link del "$bridge" 2>/dev/null || true
	rm -rf "$work"
}
trap down EXIT

# host I gives host I its address, once it has its device eth0, and a limit of the
# rate at which it sends, if RATE is set.
host() {
	local ns=mm$$-$1
	ip -n "$ns" addr add "$net.$1/24" dev eth0
	ip -n "$ns" link set eth0 up
	ip -n "$ns" link set lo up
	if [ -n "${RATE:-}" ]; then
		ip netns exec "$ns" tc qdisc add dev eth0 root tbf rate "$RATE" burst 64kb latency 50ms
	fi
}

# up_veth joins the hosts by veth pairs and a bridge.
up_veth() {
	local i
	ip link add "$bridge" type bridge
	ip link set "$bridge" up
	for i in $(seq "$hosts"); do
		ip netns add "mm$$-$i"
		ip link add "mv$$-$i" type veth peer name eth0 netns "mm$$-$i"
		ip link set "mv$$-$i" master "$bridge" up
		host "$i"
	done
}

# up_relay LATENCY joins the hosts by a relay, with so much latency. Its packets are
# large, so that it takes little of the processors that are to compute.
up_relay() {
	local i names=()
	go build -o "$work/relay" ./bench/cluster/relay
	for i in $(seq "$hosts"); do
		ip netns add "mm$$-$i"
		names+=("mt$$-$i")
	done
	mkfifo "$work/in" "$work/out"
	nice -n -15 "$work/relay" "$1" "${names[@]}" <"$work/in" >"$work/out" &
	relay=$!
	exec {relay_in}>"$work/in"
	read -r _ <"$work/out"
	for i in $(seq "$hosts"); do
		ip link set "mt$$-$i" netns "mm$$-$i" name eth0 mtu 60000
		host "$i"
	done
}

# shares gives each host a part of its processor, SHARE percent, in periods of 20 ms, if
# that is set: shorter ones than some ticks of the kernel lose a part of the share. The
# control groups are mounted where hosts see them.
shares() {
	local i group period=20000 root=/sys/fs/cgroup
	[ -n "${SHARE:-}" ] || return 0
	[ -d "$root/cpu" ] && root+=/cpu
	mkdir "$work/groups"
	mount --bind "$root" "$work/groups"
	for i in $(seq "$hosts"); do
		group=$work/groups/mm$$-$i
		mkdir "$group"
		if [ -f "$group/cpu.max" ]; then
			echo "$((period * SHARE / 100)) $period" >"$group/cpu.max"
		else
			echo "$period" >"$group/cpu.cfs_period_us"
			echo "$((period * SHARE / 100))" >"$group/cpu.cfs_quota_us"
		fi
	done
}
shares

# share HOST is what precedes a command that is to have a host's part of a processor.
cat >"$work/share" <<END
#!/bin/sh
host=\$1; shift
if [ -n "${SHARE:-}" ]; then echo \$\$ >"$work/groups/mm$$-\$host/cgroup.procs"; fi
exec "\$@"
END
chmod 755 "$work/share"

# received prints the bytes that all hosts have received.
received() {
	local sum=0 i
	for i in $(seq "$hosts"); do
		sum=$((sum + $(ip netns exec "mm$$-$i" cat /sys/class/net/eth0/statistics/rx_bytes)))
	done
	echo "$sum"
}

# What launchers call instead of ssh: the host, which they may precede by options,
# then a command. Each host has a processor of its own, as far as there are some.
cat >"$work/enter" <<END
#!/bin/sh
while [ "\${1#-}" != "\$1" ]; do shift; done
host=\${1##*.}; shift
exec "$work/share" "\$host" ip netns exec "mm$$-\$host" taskset -c "\$(((host - 1) % $(nproc)))" unshare --uts sh -c "hostname mm\$host; \$*"
END
chmod 755 "$work/enter"

# launch starts one rank on each host, with shared memory between ranks off. It runs
# on the first host: its own messages are few.
launch=("$work/share" 1 ip netns exec "mm$$-1")
case $library in
mpich)
	launch+=(mpiexec.mpich -launcher ssh -launcher-exec "$work/enter" -iface eth0 -hosts "$list" -n "$hosts")
	launch+=(-genv UCX_TLS tcp,self -genv UCX_NET_DEVICES eth0 -genv FI_PROVIDER tcp)
	;;
openmpi)
	launch+=(mpiexec.openmpi --allow-run-as-root --bind-to none --mca plm_rsh_agent "$work/enter" --host "$list" -n "$hosts")
	launch+=(--mca pml ob1 --mca btl tcp,self --mca btl_tcp_if_include "$net.0/24" --mca oob_tcp_if_include "$net.0/24")
	;;
*)
	echo "unknown library $library: want mpich or openmpi" >&2
	exit 2
	;;
esac

# field NAME prints a number of the JSON on standard input.
field() { sed -n "s/.*\"$1\":\([0-9.e+-]*\).*/\1/p"; }

# median prints the median of numbers, one a line.
median() { sort -g | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
