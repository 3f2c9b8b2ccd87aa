# shellcheck shell=bash
#
# sekisho in its namespace: started with a scenario's configuration, asked over its control socket,
# stopped by its pid.

# scenario_file NAME: the scenario's own, or the default one for its kind of peer
scenario_file() {
  local dir
  for dir in "$INTEROP/scenarios/$SCENARIO" "$INTEROP/defaults/$PEER" "$INTEROP/defaults"; do
    if [[ -f $dir/$1 ]]; then echo "$dir/$1" && return; fi
  done
  return 1
}

# The gateway's ports: PORTS is af_packet or pcap. net_af_packet has the kernel put IPv4 fragments
# together, and then hands over what fits into one of its frames; net_pcap shows what was on the wire.
# shellcheck disable=SC2034
gateway_devices() {
  if [[ $PORTS == pcap ]]; then
    WAN_DEVICE=net_pcap0,rx_iface_in=gw-wan,tx_iface=gw-wan
    LAN_DEVICE=net_pcap1,rx_iface_in=gw-lan,tx_iface=gw-lan
  else
    WAN_DEVICE=net_af_packet0,iface=gw-wan LAN_DEVICE=net_af_packet1,iface=gw-lan
  fi
}

# The configuration is the machine's part (ports, routes, memory), the same for all, followed by the
# scenario's part (pools, secrets, connections, policies).
gateway_configure() {
  local DIR=$STATE/gateway
  mkdir -p "$DIR"
  chmod 700 "$DIR"
  (umask 077 && : >"$DIR/sekisho.yaml") # it holds secrets
  gateway_devices
  render "$INTEROP/defaults/machine.yaml" >"$DIR/sekisho.yaml"
  render "$(scenario_file sekisho.yaml)" >>"$DIR/sekisho.yaml"
  if [[ -n $CORES ]]; then echo "workers: {cores: [$CORES]}" >>"$DIR/sekisho.yaml"; fi
  if [[ -f $STATE/pki/ready ]]; then
    cp "$STATE"/pki/ca-*.pem "$STATE"/pki/gateway-*.pem "$DIR/"
    cp "$STATE"/pki/private/gateway-rsa.pem "$DIR/gateway-rsa.key.pem"
    cp "$STATE"/pki/private/gateway-ecdsa.pem "$DIR/gateway-ecdsa.key.pem"
  fi
}

gateway_start() {
  local dir=$STATE/gateway
  gateway_stop
  rm -rf "${dir:?}"
  gateway_configure
  # Another driver may give its ports other MAC addresses.
  ip_ns outside neigh flush dev to-gateway
  ip_ns inside neigh flush dev lan0
  process_start "$dir" ip netns exec "${NS}gateway" "$SEKISHO" --no-console "$dir/sekisho.yaml"
  wait_for 30 gateway_answers || fail "sekisho does not answer: $(gateway_error)"
  process_alive "$dir" || fail "sekisho did not start: $(gateway_error)"
}

# gateway_own_stack: behind OWN_PORT, the IP stack of the gateway's machine with the outside addresses
gateway_own_stack() {
  in_ns gateway sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.own0.rp_filter=0
  in_ns gateway ethtool -K own0 tx off rx off sg off tso off gso off gro off >/dev/null 2>&1 || true
  address gateway own0 "$GW4/24" "$GW6/64"
  ip_ns gateway link set own0 mtu 1400 up
  default_routes gateway "$OUTSIDE4" "$OUTSIDE6"
}

gateway_answers() {
  process_alive "$STATE/gateway" || return 0
  [[ -S $STATE/gateway/control ]] && gateway_ctl show ports >/dev/null 2>&1
}

# gateway_stop: leaves its exit status in $STATE/gateway/status
gateway_stop() { process_stop "$STATE/gateway" TERM 15; }

gateway_ctl() { timeout -k 2 "$((20 * PATIENCE))" "$SEKISHOCTL" --socket "$STATE/gateway/control" "$@"; }

# gateway_view QUESTION...: an answer out of `sekishoctl --json show`, see gateway_view.py
gateway_view() {
  local what=$1
  case $what in
  drop) what=drops ;;
  count) what=$2 ;;
  esac
  gateway_ctl --json show "$what" | python3 "$INTEROP/gateway_view.py" "$@"
}

gateway_count() { gateway_view count "$1"; } # ike-sas | child-sas | ...
gateway_id() { gateway_ctl --json show "$1" | python3 "$INTEROP/gateway_view.py" field id; }
gateway_count_is() { [[ $(gateway_count "$1" 2>/dev/null) == "$2" ]]; }
gateway_drops() { gateway_view drop "$1"; } # REGEX: packets dropped under names that match

gateway_log_has() { grep -qiE -- "$1" "$STATE/gateway/output"; }

gateway_error() {
  local line
  line=$(grep -viE 'EAL:|^$' "$STATE/gateway/output" 2>/dev/null | tail -n 1)
  echo "${line:-it said nothing}"
}

expect_gateway_log() { # REGEX WHAT
  wait_for 3 gateway_log_has "$1" || fail "the gateway's log does not say $2 (wanted: $1)"
}

# Every packet received or made here is sent, punted, consumed, dropped under a name, or held. Holds
# once the workers are idle, hence the patience.
accounting_holds() { gateway_view accounting >"$STATE/accounting" 2>&1; }
expect_accounting() {
  wait_for 5 accounting_holds || fail "packets are unaccounted for: $(<"$STATE/accounting")"
}
