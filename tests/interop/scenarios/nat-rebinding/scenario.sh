# shellcheck shell=bash disable=SC2034
DESCRIPTION="the NAT gives the client another port: the gateway follows, the tunnel goes on"

run() {
  connect client1
  expect_ping client1
  net_rebind_nat 20000-29999
  in_ns client1 ping -q -c 3 -i 0.2 -W 1 "$SERVER4" >/dev/null 2>&1 || true # the first tells the gateway
  expect_ping client1
  expect_transfer client1
}
