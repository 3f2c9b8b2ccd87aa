# shellcheck shell=bash disable=SC2034
DESCRIPTION="IKE chacha20poly1305-prfsha512-x25519, ESP chacha20poly1305"
IKE=chacha20poly1305-prfsha512-x25519
ESP=chacha20poly1305

run() {
  connect client1
  expect_in_sas client1 CHACHA20_POLY1305/PRF_HMAC_SHA2_512/CURVE_25519
  expect_in_sas client1 ESP:CHACHA20_POLY1305
  expect_ping client1
  expect_transfer client1
}
