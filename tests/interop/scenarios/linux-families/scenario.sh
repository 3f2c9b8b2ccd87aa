# shellcheck shell=bash disable=SC2034
DESCRIPTION="Linux: IPv4 and IPv6 in IPv4 and IPv6, each in a Child SA of its own, and both in one"
PEER=linux
PORTS=pcap

run() {
  client_start linux
  for REMOTE in $GW4 $GW6; do
    LOCAL_TS=$LINUX_NET4 REMOTE_TS=$LAN4_NET family "$SERVER4" "$LINUX_HOST4"
    LOCAL_TS=$LINUX_NET6 REMOTE_TS=$LAN6_NET family "$SERVER6" "$LINUX_HOST6"
    REMOTE_TS=$LAN4_NET,$LAN6_NET reconnect linux
    expect_transfer linux "$SERVER4"
    expect_transfer linux "$SERVER6"
  done
  expect_carried esp
}

family() { # SERVER HOST
  reconnect linux
  expect_sizes linux "$1"
  expect_sizes inside "$2"
  expect_transfer linux "$1"
}
