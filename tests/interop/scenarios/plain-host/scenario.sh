# shellcheck shell=bash disable=SC2034
DESCRIPTION="a plain host behind the clients' NAT reaches what is permitted, in clear, and no more"
LEAKS=expected # the plain host knocks at inner addresses

run() {
  local before
  connect client1
  connect client2
  expect_ping plain "$PERMITTED4"
  expect_transfer plain "$PERMITTED4"
  before=$(gateway_drops 'spd-.*')
  if reaches plain "$FORBIDDEN4"; then fail "plain: reaches $FORBIDDEN4, which nobody permits"; fi
  if reaches plain "$SERVER4"; then fail "plain: reaches $SERVER4 without a tunnel"; fi
  (($(gateway_drops 'spd-.*') >= before + 2)) || fail "what was refused is not counted"
  expect_ping client1
  expect_ping client2
}
