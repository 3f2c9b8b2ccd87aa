# shellcheck shell=bash disable=SC2034
DESCRIPTION="Linux: UDP datagrams of 8000 bytes, and a smaller MTU on the way that splits the tunnel's packets"
PEER=linux
PORTS=pcap
REMOTE_TS=$LAN4_NET,$LAN6_NET

run() {
  client_start linux
  for REMOTE in $GW4 $GW6; do
    reconnect linux
    expect_datagrams linux "$SERVER4" 8000
    expect_datagrams linux "$SERVER6" 8000
    expect_sizes linux "$SERVER4" "$SERVER6"
    expect_sizes inside "$LINUX_HOST4" "$LINUX_HOST6"
  done
  # The tunnel's packets say that they may be split (swanctl: copy_df), and a router has to.
  REMOTE=$GW4
  reconnect linux
  ip_ns outside route replace 203.0.113.0/24 dev to-gateway src "$OUTSIDE4" mtu lock 1300
  expect_datagrams linux "$SERVER4" 3000 # six pieces; the gateway takes up to eight
  expect_transfer linux
  ip_ns outside route replace 203.0.113.0/24 dev to-gateway src "$OUTSIDE4"
}
