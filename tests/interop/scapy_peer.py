#!/usr/bin/env python3
"""An IPsec peer made of scapy, with typed keys: pings through the gateway, and input that is not good.

scapy_peer.py INTERFACE SEKISHOCTL SOCKET GATEWAY4 GATEWAY6 SERVER4 SERVER6 ROW...

INTERFACE leads to the gateway. A ROW is 'N PROTOCOL MODE OUTER INNER SUITE', as in lib/manual.sh; our
outer address is 198.51.100.(192 + N) or 2001:db8:51::2:N, our inner one 10.63.0.N or 2001:db8:63::N.
What must be dropped is compared with the gateway's own count of drops, name by name. Prints one line
for each row; exit status 1, with the reason, where something was not as it had to be.
"""
import hashlib
import json
import subprocess
import sys
import time

from scapy.config import conf
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.layers.ipsec import AH, ESP, SecurityAssociation, _ESPPlain
from scapy.layers.l2 import Ether, getmacbyip
from scapy.packet import Raw

SECONDS = 5
OTHERS = ('local-unwanted',)  # multicast listener reports of hosts on these links
BATCH = 8  # net_pcap's ring holds twice as many
CIPHERS = {'null': ('NULL', 0), 'aes128': ('AES-CBC', 16), 'aes192': ('AES-CBC', 24),
           'aes256': ('AES-CBC', 32)}
HMACS = {'sha1': ('HMAC-SHA1-96', 20), 'sha256': ('SHA2-256-128', 32),
         'sha384': ('SHA2-384-192', 48), 'sha512': ('SHA2-512-256', 64)}


class Wrong(Exception):
    """The gateway did what it should not have done."""


def key(row, length):
    return hashlib.sha512(f'key of SA {row}\n'.encode()).digest()[:length]


class Gateway:
    """What stands at the other end of the interface, and what it counts."""

    def __init__(self, interface, ctl, control, *addresses):
        self.ctl = [ctl, '--socket', control, '--json', 'show', 'drops']
        self.outer4, self.outer6, self.server4, self.server6 = addresses
        conf.iface = interface
        conf.verb = 0
        self.wire = conf.L2socket(iface=interface)
        self.mac = getmacbyip(self.outer4)
        if self.mac is None:
            raise Wrong('the gateway does not answer ARP')

    def drops(self):
        answer = json.loads(subprocess.run(self.ctl, check=True, capture_output=True).stdout)
        return {name: int(count) for name, count in answer['drops'].items()}

    def send(self, packet):
        self.wire.send(Ether(dst=self.mac) / packet)

    def receive(self, source, destination):
        """The bytes of the next IP packet between these two, or None."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            if not self.wire.select([self.wire], 0.2):
                continue
            frame = self.wire.recv()
            if frame is None:
                continue
            layer = IP if frame.haslayer(IP) else IPv6
            ip = frame.getlayer(layer)
            if ip is not None and (ip.src, ip.dst) == (source, destination):
                length = ip.len if layer is IP else ip.plen + 40
                return layer(bytes(ip)[:length])
        return None

    def expect_drops(self, what, names, packets):
        """Sends them; each must be dropped under one of these names, and nothing under another."""
        before = self.drops()
        for sent in range(0, len(packets), BATCH):
            for packet in packets[sent:sent + BATCH]:
                self.send(packet)
            new = self.wait_for_drops(before, min(sent + BATCH, len(packets)))
        if sum(new.values()) != len(packets) or not set(new) <= set(names):
            raise Wrong(f'{what}: {len(packets)} sent, dropped: {new or "none"}, want {names}')
        # Where there is a choice of names, each of them is used.
        if len(packets) > 1 and set(new) != set(names):
            raise Wrong(f'{what}: dropped as {new}, want some of each of {names}')

    def wait_for_drops(self, before, count):
        """{name: packets} that came to it, once they are as many, or no more of them come."""
        end = time.monotonic() + SECONDS
        while True:
            new = {name: total - before.get(name, 0) for name, total in self.drops().items()}
            new = {name: total for name, total in new.items() if total and name not in OTHERS}
            if sum(new.values()) >= count or time.monotonic() > end:
                return new
            time.sleep(0.01)


class Peer:
    """One row: the SAs of one protocol, mode and suite, from here to the gateway and back."""

    def __init__(self, gateway, row):
        number, self.protocol, self.mode, outer, inner, suite = row.split()
        self.gateway, self.row, self.number = gateway, row, int(number)
        v6 = outer == '6'
        self.outer = IPv6 if v6 else IP
        self.ours = f'2001:db8:51::2:{number}' if v6 else f'198.51.100.{192 + self.number}'
        self.theirs = gateway.outer6 if v6 else gateway.outer4
        self.inner = IPv6 if inner == '6' else IP
        self.host = f'2001:db8:63::{number}' if inner == '6' else f'10.63.0.{number}'
        self.server = gateway.server6 if inner == '6' else gateway.server4
        if self.mode == 'transport':
            self.host, self.server = self.ours, self.theirs
        self.out = self.association(suite, 0x1001, self.ours, self.theirs)
        self.back = self.association(suite, 0x1000, self.theirs, self.ours)
        self.pings = 0

    def association(self, suite, spi, source, destination):
        cipher, _, hmac = suite.rpartition('-')
        keys = {'auth_algo': HMACS[hmac][0], 'auth_key': key(self.number, HMACS[hmac][1])}
        if self.protocol == 'esp':
            keys['crypt_algo'], length = CIPHERS[cipher]
            keys['crypt_key'] = key(self.number, length)
        if self.mode == 'tunnel':
            keys['tunnel_header'] = self.outer(src=source, dst=destination)
        return SecurityAssociation(ESP if self.protocol == 'esp' else AH, spi=spi + 2 * self.number,
                                   seq_num=1, **keys)

    def request(self, size=56, source=None):
        self.pings += 1
        echo = ICMPv6EchoRequest if self.inner is IPv6 else ICMP
        return (self.inner(src=source or self.host, dst=self.server) /
                echo(id=self.number, seq=self.pings) / Raw(b'ping' * (size // 4)))

    def protect(self, packet):
        # Through bytes once, so that lengths and checksums are there.
        return self.out.encrypt(self.inner(bytes(packet)))

    def expect_reply(self, request):
        sent = request.lastlayer().load
        answer = self.gateway.receive(self.theirs, self.ours)
        if answer is None:
            raise Wrong('no answer')
        plain = self.inner(bytes(self.back.decrypt(answer)))  # out of AH scapy gives plain bytes
        echo = plain.getlayer(ICMPv6EchoReply if self.inner is IPv6 else ICMP)
        if (plain.src, plain.dst) != (self.server, self.host) or echo is None:
            raise Wrong(f'not the answer: {plain!r}')
        data = echo.data if self.inner is IPv6 else bytes(echo.payload)
        if (echo.id, echo.seq, data) != (self.number, self.pings, sent):
            raise Wrong(f'another answer: {plain!r}')

    def with_payload(self, payload):
        """An outer packet of ours with this behind its IP header."""
        if self.outer is IPv6:
            return IPv6(src=self.ours, dst=self.theirs, nh=50 if self.protocol == 'esp' else 51) / \
                Raw(payload)
        return IP(src=self.ours, dst=self.theirs, proto=50 if self.protocol == 'esp' else 51) / \
            Raw(payload)

    def payload_of(self, packet):
        return bytes(packet)[40 if self.outer is IPv6 else 20:]

    def esp(self, data, next_header, padding=None):
        """An ESP packet that scapy would not make of an honest one; its ICV is right."""
        cipher, hmac = self.out.crypt_algo, self.out.auth_algo
        plain = _ESPPlain(spi=self.out.spi, seq=self.out.seq_num, iv=cipher.generate_iv(),
                          data=data, nh=next_header)
        self.out.seq_num += 1
        plain = cipher.pad(plain)
        if padding is not None:
            plain.padding = bytes([padding]) * plain.padlen
        packet = cipher.encrypt(self.out, plain, self.out.crypt_key)
        hmac.sign(packet, self.out.auth_key)
        return self.with_payload(bytes(packet))

    def honest(self):
        for size in (56, 1200):
            request = self.request(size)
            self.gateway.send(self.protect(request))
            self.expect_reply(request)

    def forged(self):
        name, expect = self.protocol, self.gateway.expect_drops
        before = self.protect(self.request())
        self.gateway.send(before)
        if self.gateway.receive(self.theirs, self.ours) is None:
            raise Wrong('no answer')
        expect('replay', [f'{name}-replayed'], [before] * 3)
        later = self.request()
        held = self.protect(later)
        whole = self.payload_of(held)
        spi = 0 if name == 'esp' else 4
        unknown = whole[:spi] + b'\x00\x00\x7f\xff' + whole[spi + 4:]
        expect('unknown SPI', [f'{name}-unknown-spi'], [self.with_payload(unknown)] * 2)
        flipped = [bytearray(whole) for _ in range(len(whole) - 12)]
        for at, packet in enumerate(flipped):
            packet[12 + at] ^= 1  # behind what finds the SA and the place in its window
        expect('flipped bit', [f'{name}-integrity'], [self.with_payload(bytes(p)) for p in flipped])
        cuts = [self.with_payload(whole[:length]) for length in range(len(whole))]
        expect('cut', [f'{name}-malformed', f'{name}-integrity'], cuts)
        # None of that moved the window, or used up the number.
        self.gateway.send(held)
        self.expect_reply(later)

    def authentic_and_wrong(self):
        expect = self.gateway.expect_drops
        strangers = {('tunnel', IP): '10.64.0.1', ('tunnel', IPv6): '2001:db8:64::1',
                     ('transport', IP): '198.51.100.250', ('transport', IPv6): '2001:db8:51::2:ff'}
        expect('foreign source', [f'{self.protocol}-selectors'],
               [self.protect(self.request(source=strangers[self.mode, self.inner]))])
        if self.protocol == 'ah':
            return
        expect('dummy', ['esp-dummy'], [self.esp(b'\x5a' * 100, 59)])
        good = bytes(self.request()) if self.mode == 'tunnel' else bytes(self.request().payload)
        next_header = {('tunnel', IP): 4, ('tunnel', IPv6): 41, ('transport', IP): 1,
                       ('transport', IPv6): 58}[self.mode, self.inner]
        expect('padding', ['esp-padding'], [self.esp(good + b'\0', next_header, padding=9)])
        if self.mode == 'tunnel':
            expect('next header', ['esp-next-header'], [self.esp(good, 99)])
            expect('inner rubbish', ['esp-inner-malformed'],
                   [self.esp(good[:length], next_header) for length in (0, 1, 19)])

    def run(self):
        try:
            self.honest()
            self.forged()
            self.authentic_and_wrong()
            self.honest()
        except Wrong as wrong:
            raise Wrong(f'row {self.row}: {wrong}') from wrong
        print(f'ok {self.row}')


def main():
    try:
        gateway = Gateway(*sys.argv[1:8])
        for row in sys.argv[8:]:
            Peer(gateway, row).run()
    except Wrong as wrong:
        print(wrong)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
