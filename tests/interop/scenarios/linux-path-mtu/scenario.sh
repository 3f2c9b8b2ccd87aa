# shellcheck shell=bash disable=SC2034
DESCRIPTION="Linux: a link of 1400 bytes on the way: learned per SA, told to senders in IPv4 and IPv6, TCP fits"
PEER=linux
PORTS=pcap
REMOTE_TS=$LAN4_NET,$LAN6_NET
TCP_BYTES=200000
LINK_MTU=1400

run() {
  net_narrow $LINK_MTU
  client_start linux
  # What is left of 1400: less IP and UDP, ESP, IV and ICV a multiple of 4, less pad length and next
  # header.
  REMOTE=$GW4 fits $((1400 - 20 - 32 - 2)) "$SERVER4"
  REMOTE=$GW6 fits $((1400 - 40 - 32 - 2)) "$SERVER6"
  ENCAP=yes
  REMOTE=$GW4 fits $((1400 - 28 - 32 - 2)) "$SERVER6"
  REMOTE=$GW6 fits $((1400 - 48 - 32 - 2)) "$SERVER4"
  [[ $(watched_since fragments_out) == 0 ]] || fail "something went in fragments"
}

# fits INNER-MTU SERVER: TCP finds it out by itself through a new SA, of which nothing is known; then
# byte for byte
fits() {
  forget
  reconnect linux
  [[ $(learned_mtu) == 0 ]] || fail "a new SA has a path MTU of $(learned_mtu)"
  expect_transfer linux "$2"
  [[ $(learned_mtu) == "$LINK_MTU" ]] || fail "path MTU $(learned_mtu), wanted $LINK_MTU"
  exactly "$1" "$LINUX_HOST4" 28
  exactly "$1" "$LINUX_HOST6" 48
}

exactly() { # INNER-MTU HOST HEADERS
  local bytes
  for bytes in 1400 $(($1 + 1)); do
    forget
    in_ns inside ping -n -c 1 -W 3 -M "do" -s $((bytes - $3)) "$2" >"$STATE/told" 2>&1 || true
    grep -qE "mtu ?[=:] ?$1\>" "$STATE/told" ||
      fail "$2, $bytes bytes: not told $1: $(xargs <"$STATE/told")"
  done
  in_ns inside ping -q -n -c 2 -i 0.1 -W 3 -M "do" -s $(($1 - $3)) "$2" >/dev/null 2>&1 ||
    fail "$2: a packet of $1 bytes does not fit"
}

forget() { # what the server has been told before
  ip_ns inside route flush cache
  ip_ns inside -6 route flush cache
}

learned_mtu() {
  gateway_ctl --json show child-sas | python3 "$INTEROP/gateway_view.py" field outbound path_mtu
}
