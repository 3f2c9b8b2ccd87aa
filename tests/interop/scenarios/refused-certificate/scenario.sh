# shellcheck shell=bash disable=SC2034
DESCRIPTION="a client certificate from an authority of the same name that nobody trusts: refused"
TYPE=rsa
ROGUE=yes

run() {
  refused client1 'received AUTHENTICATION_FAILED notify'
  expect_gateway_log 'ike-sa-failed.*(certificate|trust|signature)' "that the certificate is not trusted"
  gateway_count_is ike-sas 0 || fail "the gateway keeps an IKE SA"
}
