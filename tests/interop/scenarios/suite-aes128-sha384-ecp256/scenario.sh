# shellcheck shell=bash disable=SC2034
DESCRIPTION="IKE aes128-sha384-ecp256, ESP aes128-sha384-ecp256"
IKE=aes128-sha384-ecp256
ESP=aes128-sha384-ecp256

run() {
  connect client1
  expect_in_sas client1 AES_CBC-128/HMAC_SHA2_384_192/PRF_HMAC_SHA2_384/ECP_256
  expect_in_sas client1 ESP:AES_CBC-128/HMAC_SHA2_384_192
  expect_ping client1
  expect_transfer client1
}
