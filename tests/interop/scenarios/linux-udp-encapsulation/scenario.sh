# shellcheck shell=bash disable=SC2034
DESCRIPTION="Linux: ESP in UDP, forced by the peer, over IPv4 and IPv6"
PEER=linux
PORTS=pcap
ENCAP=yes
REMOTE_TS=$LAN4_NET,$LAN6_NET

run() {
  client_start linux
  for REMOTE in $GW4 $GW6; do
    for ESP in aes256gcm16 aes128-sha256; do
      reconnect linux
      expect_sizes linux "$SERVER4" "$SERVER6"
      expect_sizes inside "$LINUX_HOST4" "$LINUX_HOST6"
      expect_transfer linux "$SERVER4"
      expect_transfer linux "$SERVER6"
    done
  done
  expect_carried natt
  expect_not_carried esp
}
