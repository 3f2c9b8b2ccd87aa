# shellcheck shell=bash disable=SC2034
DESCRIPTION="no IKE suite in common: refused, and both sides say why"
IKE=aes128-sha1-modp2048
GATEWAY_IKE=aes256gcm16-prfsha256-x25519

run() {
  refused client1 'received NO_PROPOSAL_CHOSEN notify'
  expect_gateway_log 'no proposal chosen: peer offered .*accepts .*aes256gcm16' "what was offered and what it accepts"
}
