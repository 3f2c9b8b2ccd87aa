#!/usr/bin/python3
"""Known answers for esp_vectors.h, from scapy's IPsec (an implementation that is not ours).

    ./make_vectors.py > ../esp_vectors.h

IVs and keys are fixed, so that the output is always the same. IVs of the AEADs are those that
sekisho makes (the sequence number), so that these packets can be compared byte by byte; those of
CBC are arbitrary, as they are unpredictable by design.
"""
import hashlib
import hmac

from scapy.all import IP, IPv6, UDP, Raw, raw
from scapy.layers.ipsec import ESP, SecurityAssociation

SPI = 0x04000007
SUITES = {  # name: (scapy cipher, key bytes with salt, scapy integrity, key bytes)
    "aes128gcm16": ("AES-GCM", 20, None, 0),
    "aes256gcm16": ("AES-GCM", 36, None, 0),
    "chacha20poly1305": ("CHACHA20-POLY1305", 36, None, 0),
    "aes128-sha256": ("AES-CBC", 16, "SHA2-256-128", 32),
    "aes256-sha384": ("AES-CBC", 32, "SHA2-384-192", 48),
    "aes256-sha512": ("AES-CBC", 32, "SHA2-512-256", 64),
}
OUTER = {
    "v4": IP(src="198.51.100.7", dst="203.0.113.1", ttl=64),
    "v6": IPv6(src="2001:db8:7::7", dst="2001:db8:113::1", hlim=64),
}
INNER = {
    "v4": IP(src="10.99.0.5", dst="10.10.0.9", ttl=63, id=1, flags="DF")
    / UDP(sport=1234, dport=53) / Raw(b"sekisho: who goes there?"),
    "v6": IPv6(src="2001:db8:99::5", dst="2001:db8:10::9", hlim=63)
    / UDP(sport=1234, dport=53) / Raw(b"sekisho: who goes there, then?"),
}


def key(label, size):
    stream, counter = b"", 0
    while len(stream) < size:
        stream += hashlib.sha256(f"{label}-{counter}".encode()).digest()
        counter += 1
    return stream[:size]


def make(name, outer, inner, natt, esn, sequence):
    cipher, cipher_key, auth, auth_key = SUITES[name]
    encryption_key = key(name + "-encryption", cipher_key)
    integrity_key = key(name + "-integrity", auth_key)
    sa = SecurityAssociation(
        ESP, spi=SPI, crypt_algo=cipher, crypt_key=encryption_key, auth_algo=auth,
        auth_key=integrity_key or None, tunnel_header=OUTER[outer],
        nat_t_header=UDP(sport=40001, dport=4500, chksum=0) if natt else None,
        esn_en=esn, esn=sequence >> 32)
    iv = sequence.to_bytes(8, "big") if auth is None else key(name + "-iv", 16)
    packet = sa.encrypt(INNER[inner], seq_num=sequence & 0xFFFFFFFF, iv=iv,
                        esn_en=esn, esn=sequence >> 32)
    # The identification that sekisho writes; a fresh checksum.
    if outer == "v4":
        packet[IP].id = sequence & 0xFFFF
        packet[IP].flags = "DF"
        del packet[IP].chksum
    if natt:
        del packet[UDP].len  # scapy writes that of the bare header
        if outer == "v6":
            del packet[UDP].chksum  # scapy then computes it: over IPv6 there must be one
    data = raw(packet)
    if esn and auth is not None:
        # scapy leaves the high half out of HMACs; RFC 4303, 2.2.1 puts it behind the packet.
        hash_name, icv_bytes = {"SHA2-256-128": ("sha256", 16)}[auth]
        signed = data[20:-icv_bytes] + (sequence >> 32).to_bytes(4, "big")
        data = data[:-icv_bytes] + hmac.digest(integrity_key, signed, hash_name)[:icv_bytes]
    return encryption_key, integrity_key, raw(INNER[inner]), data


def literal(data):
    text = data.hex()
    lines = [text[i:i + 80] for i in range(0, len(text), 80)] or [""]
    return "\n     ".join(f'"{line}"' for line in lines)


CASES = [(name, "v4", "v4", False, False, 1) for name in SUITES]
CASES += [
    ("aes256gcm16", "v4", "v6", False, False, 2),
    ("aes256gcm16", "v6", "v4", False, False, 3),
    ("aes256gcm16", "v6", "v6", False, False, 4),
    ("aes128-sha256", "v4", "v6", False, False, 5),
    ("aes128-sha256", "v6", "v4", False, False, 6),
    ("aes128gcm16", "v4", "v4", True, False, 7),
    ("aes128gcm16", "v4", "v6", True, False, 8),
    ("chacha20poly1305", "v6", "v4", True, False, 9),
    ("aes256-sha512", "v4", "v4", True, False, 10),
    ("aes256gcm16", "v4", "v4", False, True, 0x100000005),
    ("aes128-sha256", "v4", "v4", False, True, 0x100000006),
]

print("""// tests/fastpath/esp_vectors.h: ESP packets of another implementation; made by
// vectors/make_vectors.py, not by hand.
#pragma once

#include <cstdint>

namespace sekisho::fastpath {

struct EspVector {
  const char* suite;
  bool natt, esn;
  uint64_t sequence;
  const char* encryption_key;  // with its salt
  const char* integrity_key;
  const char* inner;
  const char* outer;
};

// clang-format off
inline constexpr EspVector kEspVectors[] = {""")
for case in CASES:
    name, outer, inner, natt, esn, sequence = case
    encryption_key, integrity_key, plain, packet = make(*case)
    flags = ", ".join(str(f).lower() for f in (natt, esn))
    print(f'    // {name}, {inner} in {outer}')
    print(f'    {{"{name}", {flags}, {sequence},')
    print("     " + ",\n     ".join(map(literal, (encryption_key, integrity_key, plain, packet))) + "},")
print("""};
// clang-format on

}  // namespace sekisho::fastpath""")
