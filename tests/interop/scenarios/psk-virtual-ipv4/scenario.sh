# shellcheck shell=bash disable=SC2034
DESCRIPTION="a remote user: pre-shared key, virtual IPv4 address, DNS server, behind a NAT"

run() {
  connect client1
  expect_virtual_address client1 4
  grep -qF "nameserver $DNS4" "$STATE/client1/resolv.conf" || fail "client1: was told no DNS server"
  expect_ping client1
  expect_transfer client1
  gateway_count_is ike-sas 1 || fail "the gateway shows $(gateway_count ike-sas) IKE SAs for one client"
  disconnect client1
  wait_for 5 gateway_count_is ike-sas 0 || fail "the gateway keeps an IKE SA that was deleted"
}
