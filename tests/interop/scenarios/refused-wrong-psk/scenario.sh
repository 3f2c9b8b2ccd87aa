# shellcheck shell=bash disable=SC2034
DESCRIPTION="a wrong pre-shared key: refused, and the gateway's log says so"
CLIENT_PSK=not-the-key

run() {
  refused client1 'received AUTHENTICATION_FAILED notify'
  expect_gateway_log 'ike-sa-failed.*pre-shared key' "that the keys differ"
  expect_gateway_log 'ike-sa-failed.*client1\.example\.org' "whom it refused"
  gateway_count_is ike-sas 0 || fail "the gateway keeps an IKE SA"
}
