#!/usr/bin/env python3
"""TCP transfers with a checksum, one connection each.

transfer.py serve PORT
    takes connections on all addresses until it is killed; prints 'ready'
transfer.py datagrams ADDRESS PORT [--bytes N] [--source ADDRESS] [--options]
    sends 20 datagrams of N bytes; each must come back as it was; exit status 1 if one does not;
    --options: with IPv6 hop-by-hop and destination options headers
transfer.py up|down|both ADDRESS PORT [--bytes N] [--seconds S] [--rate MBIT]
        [--source ADDRESS] [--source-port PORT]
    sends (up) or fetches (down), or one after the other (both), at least N bytes for at least S seconds, at most at MBIT/s, and
    prints 'ok N bytes, S s, R Mbit/s, N retransmitted, sha256 ...'; exit status 1 if what arrived is
    not what was sent

On the wire: the client's first line is 'WAY BYTES SECONDS RATE'; then the sender's blocks, each with
its length before it, an empty one at the end, and the SHA-256 of all of them. The receiver answers
with the SHA-256 of what it got.
"""
import argparse
import hashlib
import os
import socket
import struct
import sys
import threading
import time

BLOCK = 32768
TCP_INFO_TOTAL_RETRANS = 100  # offset of tcpi_total_retrans in struct tcp_info
TIMEOUT = 60
# IPv6 options headers of 8 bytes: a Router Alert (RFC 2711, for MLD); and PadN.
ROUTER_ALERT, PAD = bytes((0, 0, 5, 2, 0, 0, 1, 0)), bytes((0, 0, 1, 4, 0, 0, 0, 0))


def receive_exactly(stream, length):
    data = stream.read(length)
    if len(data) != length:
        raise ConnectionError(f'the connection ended {length - len(data)} bytes too early')
    return data


def send_stream(connection, stream, least_bytes, seconds, rate):
    """Returns bytes sent, whether the receiver's checksum is ours, and that checksum."""
    digest = hashlib.sha256()
    sent = 0
    start = time.monotonic()
    while sent < least_bytes or time.monotonic() - start < seconds:
        block = os.urandom(BLOCK)
        digest.update(block)
        connection.sendall(struct.pack('>I', len(block)) + block)
        sent += len(block)
        if rate:
            ahead = sent * 8 / (rate * 1e6) - (time.monotonic() - start)
            if ahead > 0:
                time.sleep(ahead)
    connection.sendall(struct.pack('>I', 0) + digest.digest())
    theirs = receive_exactly(stream, digest.digest_size)
    return sent, theirs == digest.digest(), digest.hexdigest()


def receive_stream(connection, stream):
    digest = hashlib.sha256()
    received = 0
    while True:
        (length,) = struct.unpack('>I', receive_exactly(stream, 4))
        if length == 0:
            break
        digest.update(receive_exactly(stream, length))
        received += length
    theirs = receive_exactly(stream, digest.digest_size)
    connection.sendall(digest.digest())
    return received, theirs == digest.digest(), digest.hexdigest()


def serve_one(connection):
    try:
        with connection, connection.makefile('rb') as stream:
            connection.settimeout(TIMEOUT)
            way, least_bytes, seconds, rate = stream.readline().split()
            if way == b'up':
                receive_stream(connection, stream)
            else:
                send_stream(connection, stream, int(least_bytes), float(seconds), float(rate))
    except (OSError, ValueError) as error:
        print(f'a connection failed: {error}', file=sys.stderr)


def serve(port):
    listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(('::', port))
    listener.listen(16)
    threading.Thread(target=echo, args=(port,), daemon=True).start()
    print('ready', flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve_one, args=(connection,), daemon=True).start()


def echo(port):
    """Returns each datagram from the address that it was sent to."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as echoing:
        echoing.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        echoing.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        echoing.bind(('::', port))
        while True:
            data, where, _, peer = echoing.recvmsg(65535, socket.CMSG_SPACE(20))
            try:
                echoing.sendmsg([data], where, 0, peer)
            except OSError as error:
                print(f'a datagram is not returned: {error}', file=sys.stderr)


def datagrams(options):
    family = socket.AF_INET6 if ':' in options.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as connection:
        connection.settimeout(3)
        connection.bind((options.source, 0))
        if options.options:
            connection.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_HOPOPTS, ROUTER_ALERT)
            connection.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, PAD)
        connection.connect((options.address, options.port))
        for n in range(20):
            data = os.urandom(options.bytes)
            connection.send(data)
            if connection.recv(65535) != data:
                print(f'DIFFERENT, datagram {n}')
                return 1
    print(f'ok 20 datagrams of {options.bytes} bytes')
    return 0


def transfer(options, way):
    source = (options.source, options.source_port) if options.source or options.source_port else None
    connection = socket.create_connection((options.address, options.port), TIMEOUT, source)
    with connection, connection.makefile('rb') as stream:
        connection.sendall(
            f'{way} {options.bytes} {options.seconds} {options.rate}\n'.encode())
        start = time.monotonic()
        if way == 'up':
            count, same, digest = send_stream(connection, stream, options.bytes, options.seconds,
                                              options.rate)
        else:
            count, same, digest = receive_stream(connection, stream)
        took = time.monotonic() - start
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        (again,) = struct.unpack_from('=I', info, TCP_INFO_TOTAL_RETRANS)
    print(f'{"ok" if same else "DIFFERENT"} {count} bytes, {took:.2f} s, '
          f'{count * 8 / took / 1e6:.1f} Mbit/s, {again} retransmitted, sha256 {digest[:16]}')
    return 0 if same else 1


def main():
    parser = argparse.ArgumentParser()
    ways = parser.add_subparsers(dest='way', required=True)
    ways.add_parser('serve').add_argument('port', type=int)
    for way in ('up', 'down', 'both', 'datagrams'):
        one = ways.add_parser(way)
        one.add_argument('address')
        one.add_argument('port', type=int)
        one.add_argument('--bytes', type=int, default=1)
        one.add_argument('--seconds', type=float, default=0)
        one.add_argument('--rate', type=float, default=0)
        one.add_argument('--source', default='', help='address to send from')
        one.add_argument('--source-port', type=int, default=0)
        one.add_argument('--options', action='store_true', help='IPv6 options headers')
    options = parser.parse_args()
    if options.way == 'serve':
        serve(options.port)
    try:
        if options.way == 'datagrams':
            return datagrams(options)
        ways = ('up', 'down') if options.way == 'both' else (options.way,)
        return max(transfer(options, way) for way in ways)
    except OSError as error:
        print(f'failed: {error}')
        return 1


if __name__ == '__main__':
    sys.exit(main())
