# shellcheck shell=bash disable=SC2034
DESCRIPTION="IKE aes128gcm16-prfsha256-x25519, ESP aes128gcm16-x25519"
IKE=aes128gcm16-prfsha256-x25519
ESP=aes128gcm16-x25519

run() {
  connect client1
  expect_in_sas client1 AES_GCM_16-128/PRF_HMAC_SHA2_256/CURVE_25519
  expect_in_sas client1 ESP:AES_GCM_16-128
  expect_ping client1
  expect_transfer client1
}
