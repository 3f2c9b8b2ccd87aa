# shellcheck shell=bash disable=SC2034
DESCRIPTION="IKE aes256-sha256-modp2048, ESP aes256-sha256-modp2048"
IKE=aes256-sha256-modp2048
ESP=aes256-sha256-modp2048

run() {
  connect client1
  expect_in_sas client1 AES_CBC-256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048
  expect_in_sas client1 ESP:AES_CBC-256/HMAC_SHA2_256_128
  expect_ping client1
  expect_transfer client1
}
