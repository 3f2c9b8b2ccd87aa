# shellcheck shell=bash disable=SC2034
DESCRIPTION="traffic selectors outside what the gateway lets the client reach: refused"
REMOTE_TS=172.31.0.0/24

run() {
  refused client1 'received TS_UNACCEPTABLE notify, no CHILD_SA built'
  expect_gateway_log 'traffic selectors unacceptable' "that the traffic selectors do not fit"
}
