# shellcheck shell=bash disable=SC2034
DESCRIPTION="two users at once behind one public address"

run() {
  local first second
  connect client1
  connect client2
  first=$(virtual_address client1 4) second=$(virtual_address client2 4)
  [[ -n $first && -n $second && $first != "$second" ]] ||
    fail "virtual addresses are not two: '$first', '$second'"
  gateway_count_is ike-sas 2 || fail "the gateway shows $(gateway_count ike-sas) IKE SAs for two clients"
  expect_transfer client1 &
  expect_transfer client2
  wait "$!" || fail "client1: $(tail -n 1 "$STATE"/client1-transfer)"
  expect_ping client1
  expect_ping client2
  disconnect client1
  expect_ping client2
}
