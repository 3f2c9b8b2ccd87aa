# shellcheck shell=bash disable=SC2034
DESCRIPTION="IPv4 and IPv6 inside, IPv6 outside"
REMOTE=$GW6
VIPS=0.0.0.0,::
REMOTE_TS=$LAN4_NET,$LAN6_NET

run() {
  connect client1
  expect_ping client1 "$SERVER4"
  expect_ping client1 "$SERVER6"
  expect_transfer client1 "$SERVER4"
  expect_transfer client1 "$SERVER6"
}
