# shellcheck shell=bash disable=SC2034
DESCRIPTION="the gateway calls the office: sekishoctl initiate towards a strongSwan responder"

run() {
  client_start office
  gateway_ctl initiate office >/dev/null || fail "sekishoctl initiate office: refused"
  wait_for 15 office_is_up || fail "the office sees no Child SA: $(gateway_error)"
  expect_tunnel office
  in_ns inside ping -q -c 5 -i 0.2 -W 2 "$OFFICE_HOST" | grep -q ' 0% packet loss' ||
    fail "the server's ping to the office loses packets"
  expect_transfer office
}

office_is_up() { [[ $(client_children office) -ge 1 ]]; }
