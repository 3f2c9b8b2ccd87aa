# shellcheck shell=bash disable=SC2034
DESCRIPTION="the client asks for everything, the gateway narrows to its network"
REMOTE_TS=0.0.0.0/0

run() {
  connect client1
  expect_in_sas client1 "remote $LAN4_NET"
  expect_ping client1
  expect_transfer client1
}
