# shellcheck shell=bash disable=SC2034
DESCRIPTION="the client rekeys Child SA and IKE SA during a TCP transfer: nothing is lost"

run() {
  connect client1
  steady_start client1 9
  sleep 2
  swan client1 --rekey --child net >/dev/null || fail "client1: rekeying the Child SA was refused"
  wait_for 5 child_number_is client1 2 || fail "client1: the Child SA was not rekeyed"
  swan client1 --rekey --ike vpn >/dev/null || fail "client1: rekeying the IKE SA was refused"
  wait_for 5 ike_number_is client1 2 || fail "client1: the IKE SA was not rekeyed"
  swan client1 --rekey --child net >/dev/null || fail "client1: rekeying under the new IKE SA was refused"
  wait_for 5 child_number_is client1 3 || fail "client1: the Child SA was not rekeyed again"
  steady_end client1
  [[ $(gateway_drops 'esp-.*|spd-.*') == 0 ]] || fail "dropped meanwhile: $(gateway_view drops | xargs)"
  expect_ping client1
  disconnect client1
  wait_for 5 gateway_count_is ike-sas 0 || fail "an IKE SA is left over at the gateway"
  wait_for 5 gateway_count_is child-sas 0 || fail "a Child SA is left over at the gateway"
}
