# shellcheck shell=bash disable=SC2034
DESCRIPTION="IPv6 inside, IPv4 and a NAT outside"
VIPS=::
REMOTE_TS=$LAN6_NET

run() {
  connect client1
  expect_virtual_address client1 6
  expect_ping client1 "$SERVER6"
  expect_transfer client1 "$SERVER6"
}
