#!/usr/bin/env python3
"""Sends what no honest client would, from where an attacker on the path stands.

bad_input.py INTERFACE GATEWAY

Waits for UDP-encapsulated ESP on its way out of INTERFACE to GATEWAY, takes some frames as samples,
and sends variants of them, and rubbish on the ports of IKE. Prints 'DROP-NAME COUNT' for each kind:
the name under which the gateway must have dropped at least that many.
"""
import random
import socket
import struct
import sys
import time

SAMPLES = 5
COPIES = 4
ETHERNET, UDP = 14, 8
NATT, IKE = 4500, 500


def checksum(data):
    if len(data) % 2:
        data += b'\0'
    total = sum(struct.unpack(f'>{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Frame:
    """An Ethernet frame with IPv4 without options and UDP; what follows UDP is `payload`."""

    def __init__(self, data):
        self.head = bytearray(data[:ETHERNET + 20 + UDP])
        ip_length = struct.unpack_from('>H', data, ETHERNET + 2)[0]
        self.payload = bytes(data[ETHERNET + 20 + UDP:ETHERNET + ip_length])

    def with_payload(self, payload, port=NATT):
        """The same sender, other contents; lengths and header checksum right, no UDP checksum."""
        head = bytearray(self.head)
        struct.pack_into('>H', head, ETHERNET + 2, 20 + UDP + len(payload))
        struct.pack_into('>H', head, ETHERNET + 10, 0)
        struct.pack_into('>H', head, ETHERNET + 10, checksum(bytes(head[ETHERNET:ETHERNET + 20])))
        struct.pack_into('>HHH', head, ETHERNET + 22, port, UDP + len(payload), 0)
        return bytes(head) + payload


def is_esp_to(data, gateway):
    return (len(data) > ETHERNET + 20 + UDP + 16 and data[12:15] == b'\x08\x00\x45'
            and data[ETHERNET + 9] == socket.IPPROTO_UDP
            and data[ETHERNET + 16:ETHERNET + 20] == socket.inet_aton(gateway)
            and struct.unpack_from('>H', data, ETHERNET + 22)[0] == NATT
            and data[ETHERNET + 28:ETHERNET + 32] != bytes(4))


def take_samples(interface, gateway):
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    listener.bind((interface, 0))
    listener.settimeout(10)
    samples = []
    while len(samples) < SAMPLES:
        data, address = listener.recvfrom(65535)
        if address[2] == socket.PACKET_OUTGOING and is_esp_to(data, gateway):
            samples.append((data, Frame(data)))
    return samples


def rubbish(rng):
    """Payloads for the ports of IKE: too short, lengths that lie, noise behind a true header."""
    for length in (0, 1, 2, 3, 4, 5, 8, 27, 28, 29, 100, 1400):
        yield rng.randbytes(length)
    for length in (0, 27, 28, 4096, 0xffffffff):
        head = rng.randbytes(8) + bytes(8) + struct.pack('>BBBBII', 33, 0x20, 34, 0x08, 0, length)
        yield head + rng.randbytes(60)
    for exchange in range(30, 45):
        yield rng.randbytes(16) + struct.pack('>BBBBII', rng.randrange(256), 0x20, exchange,
                                              rng.randrange(256), 0, 28 + 200) + rng.randbytes(200)


def variants(samples, rng):
    """Yields (drop name, frame)."""
    for whole, frame in samples:
        spi, sequence = struct.unpack_from('>II', frame.payload)
        # A number not used yet, so that the ICV is looked at; in the window, so that it isn't moved.
        unused = struct.pack('>II', spi, sequence + 100000)
        for _ in range(COPIES):
            yield 'esp-replayed', whole
            yield 'esp-integrity', frame.with_payload(unused + frame.payload[8:])
            yield 'esp-malformed', frame.with_payload(unused + frame.payload[8:8 + rng.randrange(1, 12)])
            yield 'esp-unknown-spi', frame.with_payload(struct.pack('>I', spi ^ rng.randrange(1, 255)) +
                                                        frame.payload[4:])
            yield 'natt-malformed', frame.with_payload(rng.randbytes(2))


def main():
    interface, gateway = sys.argv[1:]
    rng = random.Random(1)
    samples = take_samples(interface, gateway)
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sender.bind((interface, 0))
    counts = {}
    for name, data in variants(samples, rng):
        sender.send(data)
        counts[name] = counts.get(name, 0) + 1
        time.sleep(0.002)
    frame = samples[0][1]
    for payload in rubbish(rng):
        sender.send(frame.with_payload(payload, IKE))
        sender.send(frame.with_payload(bytes(4) + payload, NATT))
        sender.send(frame.with_payload(payload, NATT))
        time.sleep(0.002)
    time.sleep(0.5)  # until the last has passed the gateway
    for name, count in counts.items():
        print(name, count)


if __name__ == '__main__':
    main()
