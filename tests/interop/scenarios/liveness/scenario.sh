# shellcheck shell=bash disable=SC2034
DESCRIPTION="a client that vanishes is noticed, and its address is free for the next one"
ONLY_ADDRESS=10.99.0.7

run() {
  connect client1
  [[ $(virtual_address client1 4) == "$ONLY_ADDRESS" ]] || fail "client1: not given the only address"
  expect_ping client1
  client_kill client1
  wait_for 25 gateway_count_is ike-sas 0 || fail "the gateway still holds the SA after 25 s"
  expect_gateway_log 'ike-sa-timed-out.*client1\.example\.org' "who is gone"
  connect client2
  [[ $(virtual_address client2 4) == "$ONLY_ADDRESS" ]] || fail "client2: not given the address that is free"
  expect_ping client2
}
