# shellcheck shell=bash
#
# A guest with the real Linux IPsec stack (XFRM), since this machine's own kernel may have none. One
# is booted for a run, by the first scenario that wants it, and cleaned between scenarios. Its network
# namespaces are three roles of the plan: linux, with eth0 on the access network like the office, and
# linux1 and linux2, two hosts behind the NAT, on eth1; linux3 is behind another one. Commands go in through a NIC of their own, in a
# namespace of its own at either end, which nothing that a test does to the guest can cut off.

GUEST_HOST4=169.254.77.1 GUEST_CONTROL4=169.254.77.2
GUEST_MACHINES=${GUEST_MACHINES:-uml qemu}  # the first one that boots
GUEST_MEGABYTES=256

is_guest() { [[ $1 == linux* ]]; }

# guest_lacks: why there can be no guest here, in a sentence; nothing if there can
guest_lacks() {
  local machine lacks first=''
  if [[ -f $STATE/guest/refused ]]; then cat "$STATE/guest/refused" && return; fi
  for machine in $GUEST_MACHINES; do
    lacks=$(image_lacks "$machine")
    [[ -n $lacks ]] || return 0
    first=${first:-$lacks}
  done
  echo "no Linux guest: $first"
}

# guest_up: boots it, once a run; false, with the reason in guest_lacks, if that cannot be
guest_up() {
  local dir=$STATE/guest machine why='' errors
  if process_alive "$dir"; then return 0; fi
  [[ -z $(guest_lacks) ]] || return 1
  mkdir -p "$dir"
  for machine in $GUEST_MACHINES; do
    [[ -z $(image_lacks "$machine") ]] || continue
    if ! image_have "$machine" && ! "$INTEROP/guest" build "$machine" 2>"$dir/errors"; then
      errors=$(tail -n 1 "$dir/errors")
      why+="its image ($machine) cannot be made: ${errors:-no reason given}; "
      continue
    fi
    guest_boot "$machine" && return 0
    why+="$machine does not boot: $(grep -av '^$' "$dir/output" | tail -n 1); "
    guest_down
  done
  echo "no Linux guest: ${why%; }" >"$dir/refused"
  return 1
}

guest_boot() { # MACHINE
  local dir=$STATE/guest image
  image=$(image_directory)
  touch "$image"
  install -m 600 "$image/id" "$dir/id"
  guest_links
  "guest_command_$1" "$image" "$dir"
  process_start "$dir" \
    ip netns exec "${NS}outside" "$GUEST_FILES/tap_exec.py" 201 to-linux \
    ip netns exec "${NS}nat" "$GUEST_FILES/tap_exec.py" 202 to-linux-home \
    ip netns exec "${NS}inner" "$GUEST_FILES/tap_exec.py" 203 to-linux-inner \
    ip netns exec "${NS}control" "$GUEST_FILES/tap_exec.py" 200 control \
    "${GUEST_COMMAND[@]}"
  wait_for 45 guest_answers && process_alive "$dir" && guest_prepare >"$dir/prepare" 2>&1
}

# The TAPs go with the namespaces that they are in.
guest_links() {
  if ! ip_ns control link show control >/dev/null 2>&1; then
    ip_ns control tuntap add control mode tap
    ip_ns control addr add "$GUEST_HOST4/30" dev control
    ip_ns control link set control up
    guest_link outside to-linux access
    guest_link nat to-linux-home home
    ip_ns inner tuntap add to-linux-inner mode tap
    ip_ns inner link set to-linux-inner mtu "$MTU" up
    address inner to-linux-inner "$INNER4/24"
    ip_ns inner route add "$(home_address4 linux3)/32" dev to-linux-inner
  fi
}

guest_link() { # ROLE TAP BRIDGE
  ip_ns "$1" tuntap add "$2" mode tap
  in_ns "$1" sysctl -qw "net.ipv6.conf.$2.disable_ipv6=1"
  ip_ns "$1" link set "$2" mtu "$MTU" master "$3" up
}

# guest_command_MACHINE IMAGE DIRECTORY: sets GUEST_COMMAND, which finds the TAPs as 200 and up
# shellcheck disable=SC2054  # those commas belong there
guest_command_uml() {
  local vector=transport=fd,vec=0,gro=0,depth=128 mac=mac=02:73:6b
  GUEST_COMMAND=(env -i "PATH=$PATH" HOME=/ TERM=dumb "LD_PRELOAD=$1/uml_preload.so"
    "$1/linux.uml" "ubd0r=$1/root.img" "ubd1r=$1/modules-uml.img" root=/dev/ubda ro
    init=/sbin/guest-init "mem=${GUEST_MEGABYTES}M" quiet panic=1 umid=guest "uml_dir=$2/"
    con0=null,fd:1 con=null ssl=null "vec0:$vector,fd=200,$mac:ff:00:01"
    "vec1:$vector,fd=201,$mac:00:00:00" "vec2:$vector,fd=202,$mac:00:00:01"
    "vec3:$vector,fd=203,$mac:00:00:02")
}

guest_command_qemu() {
  local nic n mac=(ff:00:01 00:00:00 00:00:01 00:00:02)
  nic=mrg_rxbuf=off,csum=off,gso=off,guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off
  nic+=,guest_ufo=off,romfile=
  GUEST_COMMAND=(qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot
    -accel tcg -cpu max -m "$GUEST_MEGABYTES" -serial stdio
    -kernel "$1/vmlinuz" -initrd "$1/initrd.gz" -append "console=ttyS0 quiet panic=-1 mitigations=off"
    -drive "file=$1/root.img,format=raw,if=virtio,readonly=on"
    -drive "file=$1/modules-qemu.img,format=raw,if=virtio,readonly=on")
  for n in 0 1 2 3; do
    GUEST_COMMAND+=(-netdev "tap,id=n$n,fd=$((200 + n))"
      -device "virtio-net-pci,netdev=n$n,mac=02:73:6b:${mac[n]},$nic")
  done
}

guest_ssh() { # OPTIONS AND COMMAND...
  in_ns control ssh -F none -o LogLevel=ERROR -i "$STATE/guest/id" -o BatchMode=yes -o IdentitiesOnly=yes \
    -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=/dev/null \
    -o ConnectTimeout=5 -o ServerAliveInterval=15 -o ServerAliveCountMax=8 \
    -o ControlPath="$STATE/guest/mux" "$@"
}

# One connection is kept for all commands; it is alone in its session, so that it outlives a scenario.
guest_answers() {
  process_alive "$STATE/guest" || return 0 # no use to wait on
  # shellcheck disable=SC2016
  setsid -f bash -c "$(declare -f guest_ssh in_ns)"'
    STATE=$1 NS=$2 guest_ssh -N -o ControlMaster=yes root@'"$GUEST_CONTROL4" \
    guest "$STATE" "$NS" </dev/null >/dev/null 2>&1
  wait_for 1 test -S "$STATE/guest/mux" && guest_sh true
}

guest_down() {
  local pid
  process_stop "$STATE/guest" KILL 5
  for pid in $(ip netns pids "${NS}control" 2>/dev/null); do kill -KILL "$pid" 2>/dev/null || true; done
  rm -f "$STATE/guest/mux"
}

# guest_sh COMMAND...: in the guest's own network namespace. Whose command a signal ends, sees a status of
# 128 and the signal, as a shell says it: ssh would say 255, which is also what it says of itself.
guest_sh() { guest_ssh "root@$GUEST_CONTROL4" "$(printf '%q ' "$@"); exit \$?"; }

# guest_bash ARGUMENTS...: the script on standard input, in the guest
guest_bash() { guest_sh bash -es -- "$@"; }

# guest_in ROLE COMMAND...: in one of its namespaces
guest_in() {
  local role=$1
  shift
  if [[ $role != linux ]]; then set -- ip netns exec "$role" "$@"; fi
  guest_sh "$@"
}

# guest_prepare: what stays for the whole run: two hosts behind the NAT, and the rig's own tool under
# the path that it has here
guest_prepare() {
  local role
  guest_bash <<-'GUEST'
	ip link add home type bridge forward_delay 0
	ip link set eth1 master home
	ip link set home up
	sysctl -qw net.ipv6.conf.home.disable_ipv6=1 net.ipv6.conf.eth1.disable_ipv6=1
	GUEST
  for role in linux1 linux2; do
    guest_bash "$role" "$(home_address4 "$role")/24" "$(home_address6 "$role")/64" <<-GUEST
	ip netns add \$1
	ip link add to-\$1 type veth peer name eth0 netns \$1
	sysctl -qw net.ipv6.conf.to-\$1.disable_ipv6=1
	ip link set to-\$1 master home up
	ip -n \$1 link set lo up
	ip -n \$1 link set eth0 up
	ip -n \$1 addr add \$2 dev eth0
	ip -n \$1 -6 addr add \$3 dev eth0 nodad
	ip -n \$1 route add default via $HOME4
	ip -n \$1 -6 route add default via $HOME6
	GUEST
  done
  guest_bash "$(home_address4 linux3)/32" <<-GUEST
	ip netns add linux3
	ip link set data2 name eth0 netns linux3
	ip -n linux3 link set lo up
	ip -n linux3 link set eth0 up
	ip -n linux3 addr add \$1 dev eth0
	ip -n linux3 route add default via $INNER4 dev eth0 onlink
	GUEST
  guest_sh mkdir -p "$INTEROP"
  guest_sh sh -c "cat >'$INTEROP/transfer.py'" <"$INTEROP/transfer.py"
  guest_clean
}

# guest_clean: as it was at the start, whatever a scenario did to it
guest_clean() {
  guest_bash <<-GUEST
	pkill -f '[t]ransfer.py' || true
	pkill -x ping || true
	pkill -x charon-systemd || true
	for role in '' linux1 linux2 linux3; do
	  in=(ip)
	  [[ -z \$role ]] || in=(ip -n \$role)
	  "\${in[@]}" xfrm policy flush
	  "\${in[@]}" xfrm state flush
	  "\${in[@]}" route flush table 220 2>/dev/null || true
	  "\${in[@]}" -6 route flush table 220 2>/dev/null || true
	done
	ip addr flush dev eth0
	ip route flush cache
	ip link del site 2>/dev/null || true
	ip link add site type dummy
	ip link set site up
	ip addr add $LINUX4/24 dev eth0
	ip -6 addr add $LINUX6/64 dev eth0 nodad
	ip link set eth0 mtu $MTU up
	ip addr add $LINUX_HOST4/24 dev site
	ip -6 addr add $LINUX_HOST6/64 dev site nodad
	ip route replace default via $ACCESS4
	ip -6 route replace default via $ACCESS6
	GUEST
}

# guest_put ROLE, guest_get ROLE FILE: a client's directory, there and back
guest_put() {
  guest_sh mkdir -p "/run/rig/$1"
  tar -C "$STATE/$1" -c strongswan.conf swanctl | guest_sh tar -C "/run/rig/$1" -x --no-same-owner
}
guest_get() { guest_sh cat "/run/rig/$1/$2" >"$STATE/$1/$2" 2>/dev/null || true; }

guest_charon_start() { # ROLE
  guest_bash "$1" <<-'GUEST'
	cd /run/rig/$1
	rm -f log vici
	: >resolv.conf
	in=()
	[[ $1 == linux ]] || in=(ip netns exec "$1")
	STRONGSWAN_CONF=$PWD/strongswan.conf setsid "${in[@]}" charon-systemd </dev/null >output 2>&1 &
	echo $! >pid
	GUEST
}

guest_charon_stop() { # ROLE SIGNAL
  [[ -d $STATE/$1/swanctl ]] && process_alive "$STATE/guest" || return 0
  guest_bash "$1" "$2" <<-'GUEST'
	read -r pid </run/rig/$1/pid || exit 0
	for ((i = 0; i < 50; i++)); do
	  kill -$2 "$pid" 2>/dev/null || break
	  sleep 0.1
	done
	kill -KILL "$pid" 2>/dev/null || true
	rm -rf "/run/rig/$1"
	GUEST
  rm -rf "${STATE:?}/$1/swanctl"
}
