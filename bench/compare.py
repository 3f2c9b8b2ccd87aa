#!/usr/bin/env python3
"""Runs two builds of throughput in turn, several times, and says how the second compares.

compare.py [--rounds N] A B -- OPTIONS FOR BOTH

The order changes from round to round, so that neither always finds the machine as the other left
it. Printed are the medians of the rounds, the ratio of B to A of each figure, and how far apart the
rounds' ratios are: a difference below that says nothing.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

NAMES = ('direction', 'size', 'sas', 'flows_per_sa', 'policies', 'suite', 'mode', 'backend',
         'workers', 'decision_cache')


def run(program, options):
    """The rows, by what names them."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, 'rows.json')
        command = [program, *options, '--no-stages', '--json', path]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            sys.exit(f'failed: {" ".join(command)}')
        with open(path, encoding='utf-8') as file:
            rows = json.load(file)['rows']
    return {tuple(row[name] for name in NAMES): row for row in rows}


def medians(rounds, name):
    return statistics.median(row[name] for row in rounds)


def line(key, a, b):
    """a, b: the same row of each round."""
    row = dict(zip(NAMES, key))
    ratios = [y['cycles'] / x['cycles'] for x, y in zip(a, b)]
    cycles = [medians(rounds, 'cycles') for rounds in (a, b)]
    overhead = [medians(rounds, 'overhead_cycles') for rounds in (a, b)]
    return (f"{row['direction']:4} {row['size']:>5} {row['sas']:8} {row['policies']:8} "
            f"{row['suite']:16} {row['mode']:9} {cycles[0]:8.1f} {cycles[1]:8.1f} "
            f"{statistics.median(ratios):7.3f} {min(ratios):7.3f}..{max(ratios):.3f} "
            f"{overhead[0]:8.1f} {overhead[1]:8.1f} {overhead[1] / overhead[0]:7.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('a')
    parser.add_argument('b')
    parser.add_argument('options', nargs='*', help='for both, behind --')
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        sys.exit('--rounds: want at least 1')
    programs = {'a': arguments.a, 'b': arguments.b}
    rows = {'a': [], 'b': []}
    for number in range(arguments.rounds):
        for name in ('ab', 'ba')[number % 2]:
            if sys.stderr.isatty():
                print(f'round {number + 1} of {arguments.rounds}, {name} ...', end='\r',
                      file=sys.stderr)
            rows[name].append(run(programs[name], arguments.options))
    print(f'A: {arguments.a}\nB: {arguments.b}')
    print(f"{'dir':4} {'size':>5} {'SAs':>8} {'policies':>8} {'suite':16} {'mode':9} "
          f"{'cycles A':>8} {'B':>8} {'B/A':>7} {'of rounds':>14} {'overh. A':>8} {'B':>8} "
          f"{'B/A':>7}")
    for key in rows['a'][0]:
        print(line(key, [each[key] for each in rows['a']], [each[key] for each in rows['b']]))


if __name__ == '__main__':
    main()
