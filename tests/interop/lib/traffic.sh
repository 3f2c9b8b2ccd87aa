# shellcheck shell=bash
#
# Traffic to the server on the inside.

TCP_BYTES=${TCP_BYTES:-2000000}
PORT=5201

# expect_ping ROLE [TARGET]: five of five
expect_ping() {
  pings "$1" "${2:-$SERVER4}" || fail "$1: ping to ${2:-$SERVER4} loses packets"
}
pings() { in_ns "$1" ping -q -c 5 -i 0.2 -W 2 "$2" 2>&1 | grep -q ' 0% packet loss'; }
reaches() { in_ns "$1" ping -q -c 1 -W 1 "$2" >/dev/null 2>&1; }

# expect_sizes ROLE TARGET...: datagrams of 84, 1228 and 3028 bytes, there and back. One at a time: once
# a reply is there, ping waits for the others no longer than twice as long as that took.
expect_sizes() {
  local role=$1 lost
  shift
  # shellcheck disable=SC2016
  lost=$(in_ns "$role" bash -c 'for target; do
    for size in 56 1200 3000; do
      ping -q -n -c 1 -W 5 -s "$size" "$target" >/dev/null 2>&1 || echo "$size bytes to $target"
    done
  done' sizes "$@")
  [[ -z $lost ]] || fail "$role: pings are lost: $(head -n 1 <<<"$lost")"
}

# outcome FILE STATUS: what a command whose output is there said at last, or how it ended
outcome() {
  local line
  line=$(tail -n 1 "$1")
  echo "${line:-it said nothing and ended with status $2}"
}

# expect_datagrams ROLE TARGET BYTES: UDP, echoed whole
expect_datagrams() {
  serve inside
  in_ns "$1" timeout "$((60 * PATIENCE))" python3 "$INTEROP/transfer.py" datagrams "$2" $PORT \
    --bytes "$3" >"$STATE/$1-datagrams" 2>&1 ||
    fail "$1: UDP of $3 bytes, $2: $(outcome "$STATE/$1-datagrams" $?)"
}

# expect_transfer ROLE [TARGET [OPTIONS OF transfer.py]]: TCP up and down; each side has the checksum of what the other sent
expect_transfer() {
  local target=${2:-$SERVER4}
  serve inside
  in_ns "$1" timeout "$((120 * PATIENCE))" python3 "$INTEROP/transfer.py" both "$target" $PORT \
    --bytes "$TCP_BYTES" "${@:3}" >"$STATE/$1-transfer" 2>&1 ||
    fail "$1: TCP up and down, $target: $(outcome "$STATE/$1-transfer" $?)"
}

# steady_start ROLE SECONDS: pings and a TCP transfer at a steady rate in the background, both ways
steady_start() {
  local role=$1 seconds=$2 way
  serve inside
  STEADY=()
  for way in up down; do
    in_ns "$role" timeout "$((seconds + 60 * PATIENCE))" python3 "$INTEROP/transfer.py" "$way" \
      "$SERVER4" $PORT --seconds "$seconds" --rate 8 >"$STATE/$role-$way" 2>&1 &
    STEADY+=("$!")
  done
  in_ns "$role" ping -q -i 0.05 -c "$((seconds * 18))" -W 2 "$SERVER4" >"$STATE/$role-ping" 2>&1 &
  STEADY+=("$!")
}

# steady_end ROLE: waits for them; nothing may be lost
steady_end() {
  local role=$1 pid way
  for pid in "${STEADY[@]}"; do wait "$pid" || true; done
  for way in up down; do
    grep -q '^ok ' "$STATE/$role-$way" ||
      fail "$role: TCP $way was not whole: $(tail -n 1 "$STATE/$role-$way")"
  done
  grep -q ' 0% packet loss' "$STATE/$role-ping" ||
    fail "$role: pings were lost: $(grep 'packet loss' "$STATE/$role-ping")"
}

# serve ROLE: the transfer's other end, on all addresses of the inside server or of another role
serve() {
  local role=$1
  local dir=$STATE/server-$role
  if is_guest "$role"; then guest_serve "$role" && return; fi
  if process_alive "$dir"; then return; fi
  mkdir -p "$dir"
  process_start "$dir" ip netns exec "$NS$role" python3 "$INTEROP/transfer.py" serve $PORT
  wait_for 10 grep -q ready "$dir/output" || fail "the server of $role does not start"
}

# guest_serve ROLE: until the guest is cleaned
guest_serve() {
  # shellcheck disable=SC2016
  guest_in "$1" bash -c 'ss -Hltn "sport = :$2" | grep -q . && exit
    setsid python3 "$1" serve "$2" </dev/null >"/run/served-$2" 2>&1 &
    for ((i = 0; i < 100; i++)); do ss -Hltn "sport = :$2" | grep -q . && exit; sleep 0.1; done
    exit 1' serve "$INTEROP/transfer.py" $PORT || fail "the server of $1 does not start"
}
