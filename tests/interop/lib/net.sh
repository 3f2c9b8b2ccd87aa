# shellcheck shell=bash
#
# The namespaces and links of lib/plan.sh.

declare -A WATCHED=()

ns() { echo "$NS$1"; }

# in_ns ROLE COMMAND...
in_ns() {
  local role=$1
  shift
  if is_guest "$role"; then
    guest_in "$role" "$@"
    return
  fi
  ip netns exec "$NS$role" "$@"
}

ip_ns() { ip -n "$NS$1" "${@:2}"; }

# veth ROLE INTERFACE ROLE INTERFACE: a link whose ends compute checksums and never join segments.
# Whoever reads raw frames at one end, as DPDK does, must see what a wire would carry.
veth() {
  ip_ns "$1" link add "$2" mtu "$MTU" type veth peer name "$4" mtu "$MTU" netns "$NS$3"
  in_ns "$1" ethtool -K "$2" tx off rx off sg off tso off gso off gro off >/dev/null 2>&1
  in_ns "$3" ethtool -K "$4" tx off rx off sg off tso off gso off gro off >/dev/null 2>&1
  ip_ns "$1" link set "$2" up
  ip_ns "$3" link set "$4" up
}

address() { # ROLE INTERFACE ADDRESS/LENGTH...
  local address
  for address in "${@:3}"; do
    case $address in
    *:*) ip_ns "$1" -6 addr add "$address" dev "$2" nodad ;;
    *) ip_ns "$1" addr add "$address" dev "$2" ;;
    esac
  done
}

default_routes() { # ROLE IPV4 IPV6
  ip_ns "$1" route add default via "$2"
  ip_ns "$1" -6 route add default via "$3"
}

forwarding() { in_ns "$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1; }

# switch ROLE NAME: a bridge, which is the role's own interface on that network, too. Its MAC address is
# a fixed one. Without, it takes the lowest of its ports' and changes when another port joins, such as
# the guest's: then what its neighbours know is wrong, for as long as half a minute or for good.
switch() {
  ip_ns "$1" link add "$2" address 02:73:6b:ff:01:01 type bridge forward_delay 0
  ip_ns "$1" link set "$2" up
}

net_up() {
  local role
  for role in "${ROLES[@]}"; do
    ip netns add "$NS$role"
    ip_ns "$role" link set lo up
    in_ns "$role" sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.accept_ra=0 \
      net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
  done
  net_gateway
  net_outside
  net_home
  net_office
  net_watch
}

# The gateway's two ends carry no address: the kernel must not answer where sekisho does.
net_gateway() {
  local end
  veth gateway gw-wan outside to-gateway
  veth gateway gw-lan inside lan0
  for end in gw-wan gw-lan; do
    in_ns gateway sysctl -qw "net.ipv6.conf.$end.disable_ipv6=1"
    ip_ns gateway link set "$end" arp off promisc on
  done
  address inside lan0 "$SERVER4/24" "$SERVER6/64" "$PERMITTED4/32" "$FORBIDDEN4/32"
  default_routes inside "$GWLAN4" "$GWLAN6"
}

net_outside() {
  address outside to-gateway "$OUTSIDE4/24" "$OUTSIDE6/64"
  switch outside access
  address outside access "$ACCESS4/24" "$ACCESS6/64"
  ip_ns outside -6 route add "$HOME6_NET" via "$NAT6"
  # What is behind the gateway is announced to the world, as a provider would: whether a packet may
  # pass is for the gateway to say.
  ip_ns outside route add 192.0.2.0/24 via "$GW4"
  ip_ns outside route add "$LAN4_NET" via "$GW4"
  forwarding outside
}

net_home() {
  local role
  veth nat nat-wan outside to-nat
  ip_ns outside link set to-nat master access
  address nat nat-wan "$NAT4/24" "$NAT6/64"
  default_routes nat "$ACCESS4" "$ACCESS6"
  switch nat home
  address nat home "$HOME4/24" "$HOME6/64"
  forwarding nat
  for role in client1 client2 plain inner; do
    veth "$role" eth0 nat "to-$role"
    ip_ns nat link set "to-$role" master home
    address "$role" eth0 "$(home_address4 "$role")/24" "$(home_address6 "$role")/64"
    default_routes "$role" "$HOME4" "$HOME6"
  done
  forwarding inner
  in_ns inner nft -f - <<-NFT
	table ip inner {
	  chain out {
	    type nat hook postrouting priority srcnat; policy accept;
	    oifname "eth0" masquerade
	  }
	}
	NFT
  net_nat_rule ''
}

# net_nat_rule [PORTS]: how the NAT maps UDP: to the same port where it can, or to some of PORTS
net_nat_rule() {
  in_ns nat nft -f - <<-NFT
	table ip home
	delete table ip home
	table ip home {
	  chain out {
	    type nat hook postrouting priority srcnat; policy accept;
	    oifname "nat-wan" meta l4proto udp masquerade ${1:+to :$1}
	    oifname "nat-wan" masquerade
	  }
	}
	NFT
}

# net_rebind_nat PORTS: the NAT forgets its mappings and makes others, as a rebooted one would
net_rebind_nat() {
  net_nat_rule "$1"
  ip_ns nat link set nat-wan down # which makes it forget
  ip_ns nat link set nat-wan up
  address nat nat-wan "$NAT6/64"
  default_routes nat "$ACCESS4" "$ACCESS6"
}

# net_narrow MTU: the way to the guest has a link with that MTU; net_wide: no longer
net_narrow() {
  ip_ns outside route replace "$LINUX4/32" dev access mtu lock "$1"
  ip_ns outside -6 route replace "$LINUX6/128" dev access mtu lock "$1"
}
net_wide() {
  ip_ns outside route del "$LINUX4/32" 2>/dev/null || true
  ip_ns outside -6 route del "$LINUX6/128" 2>/dev/null || true
}

net_office() {
  veth office eth0 outside to-office
  ip_ns outside link set to-office master access
  address office eth0 "$OFFICE4/24" "$OFFICE6/64"
  default_routes office "$ACCESS4" "$ACCESS6"
  switch office site
  address office site "$OFFICE_HOST/24"
}

# Counts on the way between the gateway and the world: what shows an inner address, and fragments.
net_watch() {
  in_ns outside nft -f - <<-NFT
	table inet watch {
	  counter leaks { }
	  counter fragments { }
	  counter fragments_out { }
	  counter in_esp { }
	  counter in_ah { }
	  counter in_natt { }
	  counter in_clear { }
	  chain pass {
	    type filter hook prerouting priority -450; policy accept;
	    ip saddr { $LAN4_NET, $POOL4_NET, $OFFICE_NET, $LINUX_NET4 } counter name leaks
	    ip daddr { $LAN4_NET, $POOL4_NET, $OFFICE_NET, $LINUX_NET4 } counter name leaks
	    ip6 saddr { $LAN6_NET, $POOL6, $LINUX_NET6 } counter name leaks
	    ip6 daddr { $LAN6_NET, $POOL6, $LINUX_NET6 } counter name leaks
	    meta l4proto esp counter name in_esp
	    meta l4proto ah counter name in_ah
	    meta l4proto udp udp sport 4500 udp length > 200 counter name in_natt
	    meta l4proto udp udp dport 4500 udp length > 200 counter name in_natt
	    ip saddr $GW4 meta l4proto tcp counter name in_clear
	    ip daddr $GW4 meta l4proto tcp counter name in_clear
	    ip daddr $GW4 ip frag-off & 0x1fff != 0 counter name fragments
	    ip saddr $GW4 ip frag-off & 0x1fff != 0 counter name fragments_out
	    ip6 saddr $GW6 exthdr frag exists counter name fragments_out
	  }
	}
	NFT
}

watched() { # leaks | fragments | fragments_out | in_esp | in_ah | in_natt | in_clear
  in_ns outside nft list counter inet watch "$1" | sed -n 's/.*packets \([0-9]*\).*/\1/p'
}

# watch_start: what expect_carried compares with; each scenario begins with it
watch_start() {
  local what
  WATCHED=()
  for what in leaks fragments_out in_esp in_ah in_natt in_clear; do WATCHED[$what]=$(watched "$what"); done
}
watched_since() { echo "$(($(watched "$1") - WATCHED[$1]))"; }

# expect_carried esp|ah|natt|clear: the gateway's packets are in that, many of them, seen on the way
expect_carried() {
  (($(watched_since "in_$1") >= 20)) || fail "only $(watched_since "in_$1") packets of $1 on the way"
}
expect_not_carried() {
  (($(watched_since "in_$1") == 0)) || fail "$(watched_since "in_$1") packets of $1 on the way"
}

net_show() {
  local role
  for role in "${ROLES[@]}"; do
    echo "== $NS$role"
    ip_ns "$role" -br addr
  done
}
