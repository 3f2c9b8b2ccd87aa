#!/usr/bin/env python3
"""Runs Debian's dpdk-test-crypto-perf (package dpdk-dev): the crypto limit as somebody else measures
it, with what DPDK's crypto devices cost on top of the library.

crypto_perf.py --core N [--json FILE]
"""
import argparse
import json
import os
import subprocess
import sys

# What ESP makes of inner packets of 64, 512, 1024 and 1400 bytes under AES-GCM in tunnel mode.
SIZES = {64: 68, 512: 516, 1024: 1028, 1400: 1404}


def main_core(core):
    """Another core than the measured one for the program's own thread, where there is one."""
    others = sorted(os.sched_getaffinity(0) - {core})
    return others[0] if others else core


def run(core, operation):
    """Cycles per buffer, by inner size."""
    command = [
        'dpdk-test-crypto-perf', '--no-huge', '--no-shconf', '--no-pci', '-m', '512',
        '--no-telemetry', '--log-level=error', '--force-max-simd-bitwidth=512',
        '--lcores', f'0@{main_core(core)},1@{core}', '--vdev', 'crypto_aesni_gcm0', '--',
        '--devtype', 'crypto_aesni_gcm', '--optype', 'aead', '--aead-algo', 'aes-gcm',
        '--aead-op', operation, '--aead-key-sz', '16', '--aead-iv-sz', '12', '--aead-aad-sz', '8',
        '--digest-sz', '16', '--buffer-sz', ','.join(str(size) for size in SIZES.values()),
        '--burst-sz', '32', '--total-ops', '2000000', '--silent', '--ptest', 'throughput',
        '--csv-friendly']
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f'dpdk-test-crypto-perf failed:\n{done.stdout}{done.stderr}')
    cycles = {}
    for line in done.stdout.splitlines():
        fields = line.split(',')
        if len(fields) == 10 and fields[0].isdigit():
            inner = [size for size, buffer in SIZES.items() if buffer == int(fields[1])]
            cycles[inner[0]] = float(fields[9])
    if len(cycles) != len(SIZES):
        sys.exit(f'dpdk-test-crypto-perf said something else than expected:\n{done.stdout}')
    return cycles


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--core', type=int, required=True)
    parser.add_argument('--json')
    arguments = parser.parse_args()
    rows = []
    print('aes128gcm16 with crypto_aesni_gcm, one warm key, cycles per buffer:')
    for direction, operation in (('out', 'encrypt'), ('in', 'decrypt')):
        for size, cycles in run(arguments.core, operation).items():
            print(f'{direction:4} {size:5} {cycles:8.1f}')
            rows.append({'direction': direction, 'size': size, 'cycles': cycles})
    if arguments.json:
        with open(arguments.json, 'w', encoding='utf-8') as file:
            json.dump({'crypto_perf': rows}, file, indent=1)


if __name__ == '__main__':
    main()
