# shellcheck shell=bash disable=SC2034
DESCRIPTION="no ESP suite in common: no Child SA, and both sides say why"
ESP=aes128-sha1

run() {
  refused client1 'received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built'
  expect_gateway_log 'no proposal chosen: peer offered .*accepts .*aes256gcm16' "what was offered and what it accepts"
}
