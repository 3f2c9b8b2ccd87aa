# shellcheck shell=bash disable=SC2034
DESCRIPTION="scapy: typed keys, ESP and AH in both modes; what is forged, replayed or cut is dropped by name"
PORTS=pcap
HOST_PORT=$OWN_PORT
SAS='' PEERS=()
if ! /usr/bin/python3 -c 'import scapy.layers.ipsec' 2>/dev/null; then
  SKIP="python3-scapy is not installed; run tools/install-dependencies test"
fi

peer() { # N PROTOCOL MODE OUTER INNER SUITE
  local n=$1 mode=$3 outer=$4 local4=$GW4 remote4=198.51.100.$((192 + $1)) host=10.63.0.$1/32
  local lan=$LAN4_NET GUEST_XFRM='' words='' ANTI_REPLAY=yes
  if [[ $outer == 6 ]]; then local4=$GW6 remote4=2001:db8:51::2:$n; fi
  if [[ $5 == 6 ]]; then host=2001:db8:63::$n/128 lan=$LAN6_NET; fi
  manual_pair "$n" $((0x1000 + 2 * n)) "$2" "$mode" "$6" '' ''
  PEERS+=("$*")
}
# AES-GCM's keys cannot be typed (its IVs count), so it is not among them.
peer 1 esp tunnel 4 4 null-sha256
peer 2 esp tunnel 6 6 aes128-sha1
peer 3 esp tunnel 4 6 aes256-sha512
peer 4 esp tunnel 6 4 aes192-sha384
peer 5 esp transport 4 4 aes128-sha256
peer 6 esp transport 6 6 null-sha1
peer 7 ah tunnel 4 4 sha256
peer 8 ah tunnel 6 6 sha1
peer 9 ah transport 4 4 sha512
peer 10 ah transport 6 6 sha384

run() {
  gateway_own_stack
  # The kernel there forwards nothing that is for scapy, and says nothing about it.
  ip_ns outside route replace blackhole 198.51.100.192/26
  ip_ns outside -6 route replace blackhole 2001:db8:51::2:0/112
  in_ns outside timeout "$((120 * PATIENCE))" /usr/bin/python3 "$INTEROP/scapy_peer.py" to-gateway \
    "$SEKISHOCTL" "$STATE/gateway/control" "$GW4" "$GW6" "$SERVER4" "$SERVER6" "${PEERS[@]}" \
    >"$STATE/scapy" 2>&1 || { cat "$STATE/scapy"; fail "scapy: $(tail -n 1 "$STATE/scapy")"; }
}
