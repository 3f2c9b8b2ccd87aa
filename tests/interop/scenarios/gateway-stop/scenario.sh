# shellcheck shell=bash disable=SC2034
DESCRIPTION="the gateway is stopped: it tells its clients, and ends with status 0"
GATEWAY_GONE=yes

run() {
  connect client1
  connect client2
  expect_ping client1
  gateway_stop
  [[ $(<"$STATE/gateway/status") == 0 ]] || fail "exit status $(<"$STATE/gateway/status"), wanted 0"
  for role in client1 client2; do
    wait_for 5 client_has_no_sa "$role" || fail "$role: still has its SA"
    expect_log "$role" 'received DELETE for IKE_SA'
  done
}
