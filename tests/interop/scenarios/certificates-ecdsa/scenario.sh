# shellcheck shell=bash disable=SC2034
DESCRIPTION="ECDSA P-256 certificates both ways"
TYPE=ecdsa

run() {
  connect client1
  expect_log client1 "authentication of '$GATEWAY_ID' with ECDSA.* successful"
  expect_ping client1
  expect_transfer client1
}
