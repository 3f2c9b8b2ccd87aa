# shellcheck shell=bash disable=SC2034
DESCRIPTION="RSA-3072 certificates; IKE_AUTH is longer than the MTU, so IP fragments pass the NAT"
TYPE=rsa

run() {
  local before
  before=$(watched fragments)
  connect client1
  expect_log client1 "authentication of '$GATEWAY_ID' with RSA_EMSA_.*SHA2_.* successful"
  [[ $(watched fragments) != "$before" ]] || fail "IKE_AUTH was not fragmented: this proved nothing"
  expect_ping client1
  expect_transfer client1
}
