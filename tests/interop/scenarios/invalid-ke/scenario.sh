# shellcheck shell=bash disable=SC2034
DESCRIPTION="the client guesses x25519, the gateway wants P-384: INVALID_KE_PAYLOAD, and again"
IKE=aes256gcm16-prfsha384-x25519-ecp384
GATEWAY_IKE=aes256gcm16-prfsha384-ecp384

run() {
  connect client1
  expect_log client1 "peer didn.t accept DH group CURVE_25519, it requested ECP_384"
  expect_in_sas client1 AES_GCM_16-256/PRF_HMAC_SHA2_384/ECP_384
  expect_ping client1
}
