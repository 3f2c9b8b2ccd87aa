# shellcheck shell=bash disable=SC2034
DESCRIPTION="short lifetimes at the gateway, which rekeys both during a TCP transfer: nothing is lost"

run() {
  connect client1
  steady_start client1 14
  steady_end client1
  child_number_is client1 3 || fail "Child SA rekeyed $(($(child_number client1) - 1)) times, wanted 2"
  ike_number_is client1 2 || fail "the IKE SA was not rekeyed"
  [[ $(gateway_drops 'esp-.*|spd-.*') == 0 ]] || fail "dropped meanwhile: $(gateway_view drops | xargs)"
  expect_ping client1
}
