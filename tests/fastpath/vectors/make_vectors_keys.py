"""Names, keys and literals that the makers of vectors share."""
import hashlib

SPI = 0x04000007
SUITES = {  # name: (scapy cipher, key bytes with salt, scapy integrity, key bytes)
    "aes128gcm16": ("AES-GCM", 20, None, 0),
    "aes256gcm16": ("AES-GCM", 36, None, 0),
    "chacha20poly1305": ("CHACHA20-POLY1305", 36, None, 0),
    "aes128-sha256": ("AES-CBC", 16, "SHA2-256-128", 32),
    "aes256-sha384": ("AES-CBC", 32, "SHA2-384-192", 48),
    "aes256-sha512": ("AES-CBC", 32, "SHA2-512-256", 64),
}
for bits, icvs in ((128, (8, 12, 16)), (192, (16, 12)), (256, (12, 8))):
    for icv in icvs:
        SUITES[f"aes{bits}gcm{icv}"] = ("AES-GCM", bits // 8 + 4, None, 0)
for bits, icvs in ((128, (8, 12, 16)), (192, (16,)), (256, (16, 8))):
    for icv in icvs:
        SUITES[f"aes{bits}ccm{icv}"] = ("AES-CCM", bits // 8 + 3, None, 0)
for bits in (128, 192, 256):
    SUITES[f"aes{bits}gmac"] = ("GMAC", bits // 8 + 4, None, 0)
SUITES |= {
    "aes128ctr-sha1": ("AES-CTR", 20, "HMAC-SHA1-96", 20),
    "aes192ctr-sha256": ("AES-CTR", 28, "SHA2-256-128", 32),
    "aes256ctr-sha512": ("AES-CTR", 36, "SHA2-512-256", 64),
    "aes192-sha1": ("AES-CBC", 24, "HMAC-SHA1-96", 20),
    "null-sha1": ("NULL", 0, "HMAC-SHA1-96", 20),
    "null-sha256": ("NULL", 0, "SHA2-256-128", 32),
    "null-sha384": ("NULL", 0, "SHA2-384-192", 48),
    "null-sha512": ("NULL", 0, "SHA2-512-256", 64),
    "3des-sha256": ("3DES", 24, "SHA2-256-128", 32),
}


def key(label, size):
    stream, counter = b"", 0
    while len(stream) < size:
        stream += hashlib.sha256(f"{label}-{counter}".encode()).digest()
        counter += 1
    return stream[:size]


def literal(data):
    text = data.hex()
    lines = [text[i:i + 80] for i in range(0, len(text), 80)] or [""]
    return "\n     ".join(f'"{line}"' for line in lines)
