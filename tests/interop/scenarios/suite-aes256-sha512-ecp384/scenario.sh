# shellcheck shell=bash disable=SC2034
DESCRIPTION="IKE aes256-sha512-ecp384, ESP aes256-sha512-ecp384"
IKE=aes256-sha512-ecp384
ESP=aes256-sha512-ecp384

run() {
  connect client1
  expect_in_sas client1 AES_CBC-256/HMAC_SHA2_512_256/PRF_HMAC_SHA2_512/ECP_384
  expect_in_sas client1 ESP:AES_CBC-256/HMAC_SHA2_512_256
  expect_ping client1
  expect_transfer client1
}
