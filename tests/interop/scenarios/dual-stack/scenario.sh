# shellcheck shell=bash disable=SC2034
DESCRIPTION="virtual IPv4 and IPv6 addresses and DNS servers in one Child SA"
VIPS=0.0.0.0,::
REMOTE_TS=$LAN4_NET,$LAN6_NET

run() {
  local server
  connect client1
  expect_virtual_address client1 4
  expect_virtual_address client1 6
  for server in "$DNS4" "$DNS6"; do
    grep -qF "nameserver $server" "$STATE/client1/resolv.conf" || fail "client1: was not told $server"
  done
  for server in "$SERVER4" "$SERVER6"; do
    expect_ping client1 "$server"
    expect_transfer client1 "$server"
  done
}
