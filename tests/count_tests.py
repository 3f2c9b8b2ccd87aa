#!/usr/bin/env python3
"""Counts the test cases in Meson's testlog.json: 'N passed, N failed[, N skipped]'.

A GoogleTest program counts as many times as it has test cases, one more if it ended badly without
saying which failed (a crash, a time-out, a sanitizer). Any other test counts once.
"""
import json
import re
import sys

SUMMARY = re.compile(r'^\[  (PASSED |FAILED |SKIPPED) \] (\d+) tests?', re.MULTILINE)


def count(entry):
    """(passed, failed, skipped) of one line of the log."""
    counts = {'PASSED ': 0, 'FAILED ': 0, 'SKIPPED': 0}
    found = SUMMARY.findall(entry.get('stdout') or '')
    for word, number in found:
        counts[word] += int(number)
    good = entry['result'] in ('OK', 'EXPECTEDFAIL')
    if not found:
        if entry['result'] == 'SKIP':
            return 0, 0, 1
        return (1, 0, 0) if good else (0, 1, 0)
    if not good and counts['FAILED '] == 0:
        counts['FAILED '] = 1
    return counts['PASSED '], counts['FAILED '], counts['SKIPPED']


def main():
    total = [0, 0, 0]
    with open(sys.argv[1], encoding='utf-8') as log:
        for line in log:
            total = [a + b for a, b in zip(total, count(json.loads(line)))]
    print(f'{total[0]} passed, {total[1]} failed'
          + (f', {total[2]} skipped' if total[2] else ''))


if __name__ == '__main__':
    main()
