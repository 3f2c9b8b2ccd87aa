# shellcheck shell=bash disable=SC2034
DESCRIPTION="a gateway that takes itself to be flooded asks for a cookie first"

run() {
  connect client1
  expect_log client1 'parsed IKE_SA_INIT response 0 \[ N\(COOKIE\) \]'
  expect_ping client1
}
