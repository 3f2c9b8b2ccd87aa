# shellcheck shell=bash disable=SC2034
DESCRIPTION="Linux: both ends rekey Child SA and IKE SA during a TCP transfer: nothing is lost"
PEER=linux

run() {
  connect linux
  steady_start linux 10
  swan linux --rekey --child net >/dev/null || fail "linux: rekeying the Child SA was refused"
  wait_for 5 child_number_is linux 2 || fail "linux: the Child SA was not rekeyed"
  swan linux --rekey --ike vpn >/dev/null || fail "linux: rekeying the IKE SA was refused"
  wait_for 5 ike_number_is linux 2 || fail "linux: the IKE SA was not rekeyed"
  wait_for 5 gateway_count_is child-sas 1 || fail "the gateway keeps the old Child SA"
  gateway_ctl rekey child-sa "$(gateway_id child-sas)" >/dev/null || fail "rekey child-sa: refused"
  wait_for 5 child_number_is linux 3 || fail "the gateway did not rekey the Child SA"
  wait_for 5 gateway_count_is ike-sas 1 || fail "the gateway keeps the old IKE SA"
  gateway_ctl rekey ike-sa "$(gateway_id ike-sas)" >/dev/null || fail "rekey ike-sa: refused"
  wait_for 5 ike_number_is linux 3 || fail "the gateway did not rekey the IKE SA"
  steady_end linux
  [[ $(gateway_drops 'esp-.*|spd-.*') == 0 ]] || fail "dropped meanwhile: $(gateway_view drops | xargs)"
  expect_carried esp
}
