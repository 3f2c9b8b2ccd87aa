# shellcheck shell=bash disable=SC2034
DESCRIPTION="Linux: UDP of 8000 bytes, cut after and before encryption; a smaller MTU that splits the tunnel's packets"
PEER=linux
PORTS=pcap
REMOTE_TS=$LAN4_NET,$LAN6_NET
TCP_BYTES=200000
FRAGMENT=after

run() {
  client_start linux
  large
  (($(watched_since fragments_out) > 0)) || fail "fragment: after, and the gateway sent no fragments"
  # The tunnel's packets say that they may be split (swanctl: copy_df), and a router has to.
  REMOTE=$GW4
  reconnect linux
  ip_ns outside route replace 203.0.113.0/24 dev to-gateway src "$OUTSIDE4" mtu lock 1300
  expect_datagrams linux "$SERVER4" 3000 # six pieces; the gateway takes up to eight
  expect_transfer linux
  ip_ns outside route replace 203.0.113.0/24 dev to-gateway src "$OUTSIDE4"
  FRAGMENT=before
  gateway_start
  watch_start
  large
  expect_carried esp
  [[ $(watched_since fragments_out) == 0 ]] || fail "fragment: before, and the gateway sent fragments of ESP"
}

# Through outer IPv4 and IPv6, both ways.
large() {
  for REMOTE in $GW4 $GW6; do
    reconnect linux
    expect_datagrams linux "$SERVER4" 8000
    expect_datagrams linux "$SERVER6" 8000
    expect_sizes linux "$SERVER4" "$SERVER6"
    expect_sizes inside "$LINUX_HOST4" "$LINUX_HOST6"
  done
}
