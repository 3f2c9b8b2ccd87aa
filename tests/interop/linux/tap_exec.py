#!/usr/bin/env python3
"""tap_exec.py FD DEVICE COMMAND...: COMMAND with the TAP device open as file descriptor FD.

Whole packets with real checksums, as on a wire: no virtio-net header before them.
"""
import fcntl
import os
import struct
import sys

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454ca, 0x0002, 0x1000

tun = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(tun, TUNSETIFF, struct.pack('16sH22x', sys.argv[2].encode(), IFF_TAP | IFF_NO_PI))
os.dup2(tun, int(sys.argv[1]), inheritable=True)
os.execvp(sys.argv[3], sys.argv[3:])
