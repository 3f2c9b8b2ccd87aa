#!/usr/bin/env python3
"""Reads every #include of the product and says which of them may not be there.

include_rules_test.py ROOT

Who may know whom:

    common   <- nothing of ours
    ike      <- common                 and OpenSSL; no DPDK, socket, thread, clock, file
    fastpath <- common                 and DPDK, ipsec-mb; no OpenSSL, configuration file
    slowpath <- common, ike, fastpath  yaml-cpp in yaml.cc only

Exit status 1 when a rule is broken, or when these rules would let something pass that they must not:
each run tries them on includes that are wrong.
"""
import pathlib
import re
import sys

MAY_INCLUDE = {
    'common': {'common'},
    'ike': {'common', 'ike'},
    'fastpath': {'common', 'fastpath'},
    'slowpath': {'common', 'ike', 'fastpath', 'slowpath'},
}
SYSTEM = re.compile(r'(sys|net|netinet|arpa|linux)/|(unistd|fcntl|poll|pthread|signal|ifaddrs)\.h$')
THREAD = re.compile(r'(thread|mutex|shared_mutex|condition_variable|future|stop_token|semaphore|'
                    r'barrier|latch)$')
CLOCK = re.compile(r'(chrono|ctime|time\.h|absl/time/clock\.h)$')
FILE = re.compile(r'(fstream|filesystem|iostream)$')
DPDK = re.compile(r'(rte_\w+|cmdline\w*|ethdev_\w+|dev_driver|intel-ipsec-mb|ipsec-mb)\.h$')
OPENSSL = re.compile(r'openssl/')
LIBRARIES = re.compile(r'(yaml-cpp|spdlog|nlohmann|CLI)/|uv\.h$')
YAML = re.compile(r'yaml-cpp/')

# folder: what may not be included there, and what to call it
FORBIDDEN = {
    'common': [(DPDK, 'DPDK'), (OPENSSL, 'OpenSSL'), (LIBRARIES, "a library of slowpath's"),
               (THREAD, 'threads'), (CLOCK, 'a clock'), (FILE, 'files')],
    'ike': [(DPDK, 'DPDK'), (LIBRARIES, "a library of slowpath's"), (SYSTEM, 'the system'),
            (THREAD, 'threads'), (CLOCK, 'a clock'), (FILE, 'files')],
    'fastpath': [(OPENSSL, 'OpenSSL'), (LIBRARIES, "a library of slowpath's"), (FILE, 'files')],
    'slowpath': [],
}
EXCEPTIONS = {
    ('fastpath/eal.cc', 'files'),  # what the machine has, from /proc and /sys
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]')

# (file, line of it) that must be found wrong
WRONG = [
    ('common/a.h', '#include "ike/engine.h"'),
    ('common/a.h', '#include <rte_mbuf.h>'),
    ('ike/a.cc', '#include "fastpath/sad.h"'),
    ('ike/a.cc', '#include <rte_mbuf.h>'),
    ('ike/a.cc', '#include <sys/socket.h>'),
    ('ike/a.cc', '#include <mutex>'),
    ('ike/a.cc', '#include <chrono>'),
    ('ike/a.cc', '#include "absl/time/clock.h"'),
    ('ike/a.cc', '#include <fstream>'),
    ('ike/deeper/a.cc', '  #  include "slowpath/log.h"'),
    ('fastpath/a.cc', '#include "ike/engine.h"'),
    ('fastpath/a.cc', '#include <fstream>'),
    ('fastpath/a.cc', '#include <openssl/evp.h>'),
    ('fastpath/a.cc', '#include <yaml-cpp/yaml.h>'),
    ('slowpath/config.cc', '#include <yaml-cpp/yaml.h>'),
    ('slowpath/a.h', '#include "log.h"'),
    ('slowpath/a.h', '#include "tests/fastpath/packet_builder.h"'),
]
RIGHT = [
    ('fastpath/eal.cc', '#include <fstream>'),
    ('ike/a.cc', '#include <openssl/evp.h>'),
    ('ike/a.cc', '#include "absl/time/time.h"'),
    ('fastpath/a.cc', '#include <rte_mbuf.h>'),
    ('slowpath/yaml.cc', '#include <yaml-cpp/yaml.h>'),
    ('slowpath/a.cc', '#include "ike/engine.h"'),
    ('slowpath/a.cc', '// #include "log.h"'),
]


def fault(path, line):
    """What is wrong with this line of the file at this path; None if nothing is."""
    match = INCLUDE.match(line)
    if not match:
        return None
    quote, name = match.groups()
    folder = path.split('/')[0]
    for pattern, what in FORBIDDEN[folder]:
        if pattern.match(name) and (path, what) not in EXCEPTIONS:
            return f'{folder} may not know {what}, found <{name}>'
    if YAML.match(name) and path != 'slowpath/yaml.cc':
        return f'only slowpath/yaml.cc includes yaml-cpp, found <{name}>'
    first = name.split('/')[0]
    if quote == '"' and '/' not in name and not DPDK.match(name):
        return f'includes start at the root, found "{name}"'
    if first in ('tests', 'bench', 'tools'):
        return f'product code does not include {first}/, found "{name}"'
    if first in MAY_INCLUDE and first not in MAY_INCLUDE[folder]:
        allowed = ', '.join(sorted(MAY_INCLUDE[folder]))
        return f'{folder} may include {allowed}; found "{name}"'
    return None


def faults_of(path, text):
    for number, line in enumerate(text.splitlines(), start=1):
        what = fault(path, line)
        if what:
            yield f'{path}:{number}: {what}'
    if path.endswith('.h') and not re.search(r'^#pragma once$', text, re.MULTILINE):
        yield f'{path}: a header without #pragma once'


def main():
    root = pathlib.Path(sys.argv[1])
    broken = [f'these rules let pass: {path}: {line}' for path, line in WRONG
              if not fault(path, line)]
    broken += [f'these rules forbid: {path}: {line}' for path, line in RIGHT if fault(path, line)]
    files = [file for folder in MAY_INCLUDE for file in sorted((root / folder).rglob('*'))
             if file.suffix in ('.h', '.cc')]
    for file in files:
        broken += faults_of(str(file.relative_to(root)), file.read_text(encoding='utf-8'))
    if not files:
        broken.append(f'no source found under {root}')
    print('\n'.join(broken) if broken else f'{len(files)} files obey the rules')
    return 1 if broken else 0


if __name__ == '__main__':
    sys.exit(main())
