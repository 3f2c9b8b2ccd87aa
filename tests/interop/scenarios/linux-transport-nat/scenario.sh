# shellcheck shell=bash disable=SC2034,SC2153
DESCRIPTION="Linux: transport mode behind one NAT: three clients, two of one private address, and a plain host"
PEER=linux
PORTS=pcap
HOST_PORT=$OWN_PORT
MODE=transport
LOCAL_TS=dynamic REMOTE_TS=dynamic
TCP_BYTES=100000
OPTIONAL=true
CLIENTS=(linux1 linux2 linux3)  # 1 and 3 have the same private address
FROM=40000                      # all their connections come from the same port: the next one

run() {
  local role
  gateway_own_stack
  serve gateway
  for role in "${CLIENTS[@]}"; do connect "$role"; done
  in_turn "${CLIENTS[@]}"
  expect_carried natt
  expect_not_carried clear
  in_turn plain
  expect_carried clear
  in_turn linux2 plain linux1 linux3
  in_turn plain linux3 linux2 linux1
  at_once
  for role in "${CLIENTS[@]}"; do
    swan "$role" --rekey --child net >/dev/null || fail "$role: rekeying was refused"
    wait_for 5 child_number_is "$role" 2 || fail "$role: the Child SA was not rekeyed"
  done
  in_turn linux3 plain linux1 linux2
  at_once
  expect_not_carried esp
  [[ $(gateway_ctl --json show accounting | python3 "$INTEROP/gateway_view.py" field delivered) -gt 0 ]] ||
    fail "nothing was delivered up"
  [[ $(gateway_drops 'flow-.*|spd-.*|bug') == 0 ]] || fail "dropped: $(gateway_view drops | xargs)"
  not_optional
}

# in_turn ROLE...: each both ways, one after the other, from one port
in_turn() {
  local role
  for role; do from_one_port "$role" "$FROM"; done
  FROM=$((FROM + 2))
}

# All of them at the same time, from one port
at_once() {
  local role pids=()
  for role in plain "${CLIENTS[@]}"; do
    from_one_port "$role" "$FROM" &
    pids+=("$!")
  done
  for role in "${pids[@]}"; do wait "$role" || exit 1; done # its reason is written
  FROM=$((FROM + 2))
}

from_one_port() { # ROLE PORT
  local way port=$2
  for way in up down; do
    in_ns "$1" timeout "$((60 * PATIENCE))" python3 "$INTEROP/transfer.py" "$way" "$GW4" "$PORT" \
      --bytes "$TCP_BYTES" --source-port "$port" >"$STATE/$1-$way" 2>&1 ||
      fail "$1: TCP $way from port $port: $(outcome "$STATE/$1-$way" $?)"
    port=$((port + 1))
  done
}

# Where the policy wants IPsec of everyone, the plain host stays outside.
not_optional() {
  OPTIONAL=false
  gateway_start
  gateway_own_stack
  connect linux1
  from_one_port linux1 "$FROM"
  if in_ns plain timeout 3 bash -c "exec 3<>/dev/tcp/$GW4/$PORT"; then
    fail "plain: is served in clear without optional"
  fi
  (($(gateway_drops spd-clear-inbound) > 0)) || fail "what was refused is not counted"
}
