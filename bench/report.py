#!/usr/bin/env python3
"""Makes one report of the rows that runs of throughput wrote.

report.py --output DIR FILE...

Writes DIR/bench.json, all rows, and DIR/bench.html, which needs nothing beside it: a table, plots of
the cycles against size, SAs and policies, and bars of the stages.
"""
import argparse
import html
import io
import json
import os
import sys

import matplotlib
matplotlib.use('svg')
import matplotlib.pyplot as plt  # noqa: E402

# A common reading of IMIX 7:4:1 of 64, 570 and 1400 bytes, where it stands among sizes.
IMIX_BYTES = 344
COLUMNS = (('direction', 'direction', ''), ('size', 'size', ''), ('sas', 'SAs', ',d'),
           ('flows_per_sa', 'flows per SA', ',d'), ('policies', 'policies', ',d'),
           ('suite', 'suite', ''), ('mode', 'mode', ''), ('backend', 'backend', ''),
           ('workers', 'workers', 'd'), ('decision_cache', 'decisions kept', ''),
           ('port', 'port', ''), ('mpps', 'Mpps', '.2f'),
           ('gbps', 'Gbit/s', '.2f'), ('cycles', 'cycles', '.0f'),
           ('io_floor_cycles', 'I/O floor', '.0f'), ('crypto_limit_cycles', 'crypto limit', '.0f'),
           ('overhead_cycles', 'overhead', '.0f'), ('share_of_limit', 'share of limit', '.0%'),
           ('spread', 'spread', '.1%'))
STYLE = """
body { font: 15px/1.5 sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; font-size: 13px } td, th { padding: 2px 8px; text-align: right }
tr:nth-child(even) { background: #f3f3f3 } th { border-bottom: 1px solid #888; position: sticky;
top: 0; background: #fff } svg { max-width: 100%; height: auto } .wide { overflow-x: auto }
"""


def load(files):
    """All rows, the machine, and what crypto_perf.py measured."""
    rows, machine, crypto_perf = [], {}, []
    for name in files:
        with open(name, encoding='utf-8') as file:
            run = json.load(file)
        crypto_perf += run.get('crypto_perf', [])
        if 'rows' not in run:
            continue
        port = run['machine'].pop('port')
        command = run['machine'].pop('command')
        machine = {**machine, **run['machine']}
        machine.setdefault('commands', []).append(command)
        rows += [{**row, 'port': port} for row in run['rows']]
    return rows, machine, crypto_perf


def plain(row, *free):
    """Is it an ordinary row but for these?"""
    usual = {'suite': 'aes128gcm16', 'mode': 'tunnel', 'backend': 'ipsec-mb', 'workers': 1,
             'port': 'memory', 'policies': 1, 'flows_per_sa': 1,
             'decision_cache': True}
    return all(row[name] == value for name, value in usual.items() if name not in free)


def svg_of(figure):
    text = io.StringIO()
    figure.savefig(text, format='svg', bbox_inches='tight')
    plt.close(figure)
    return text.getvalue().split('?>', 1)[1].split('>', 1)[1]  # without XML's own head


def lines(rows, across, label, scale, free=()):
    """Cycles, split in floor, limit and overhead, against one dimension; a plot each way."""
    parts = []
    directions = [d for d in ('out', 'in') if any(row['direction'] == d for row in rows)]
    figure, axes = plt.subplots(1, max(1, len(directions)), figsize=(11, 4), squeeze=False)
    for axis, direction in zip(axes[0], directions):
        chosen = [row for row in rows if row['direction'] == direction and plain(row, *free)]
        groups = {}
        for row in chosen:
            others = tuple((name, row[name]) for name in ('size', 'sas') if name != across)
            if across == 'policies':
                others = (('size', row['size']),)
            x = row[across] if row[across] != 'imix' else IMIX_BYTES
            groups.setdefault(others, {})[x] = row
        for others, points in groups.items():
            if len(points) < 2:
                continue
            points = dict(sorted(points.items()))
            name = ', '.join(f'{value:,} SA' + 's' * (value > 1) if key == 'sas' else
                             'IMIX' if value == 'imix' else f'{value} B' for key, value in others)
            line, = axis.plot(points.keys(), [row['cycles'] for row in points.values()], 'o-',
                              label=name)
            axis.plot(points.keys(),
                      [row['io_floor_cycles'] + row['crypto_limit_cycles']
                       for row in points.values()], ':', color=line.get_color())
            parts.append(name)
        axis.set(title=f'{direction}bound', xlabel=label, ylabel='TSC cycles per packet',
                 xscale=scale)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend(fontsize=8)
    if not parts:
        plt.close(figure)
        return ''
    return svg_of(figure)


def stages(rows):
    """A bar for each plain row that has them."""
    chosen = [row for row in rows if row.get('stages') and plain(row)]
    if not chosen:
        return ''
    chosen.reverse()
    names = list(dict.fromkeys(name for row in chosen for name in row['stages']))
    figure, axis = plt.subplots(figsize=(11, 1 + 0.3 * len(chosen)))
    labels = [f"{row['direction']} {row['size']} {row['sas']:,} SAs" for row in chosen]
    left = [0.0] * len(chosen)
    colours = plt.get_cmap('tab10')
    for index, name in enumerate(names):
        widths = [row['stages'].get(name, 0.0) for row in chosen]
        axis.barh(labels, widths, left=left, label=name, color=colours(index))
        left = [start + width for start, width in zip(left, widths)]
    axis.set(xlabel='TSC cycles per packet')
    axis.legend(ncol=5, fontsize=8, loc='lower center', bbox_to_anchor=(0.5, 1.0))
    return svg_of(figure)


def table(rows):
    head = ''.join(f'<th>{title}' for _, title, _ in COLUMNS)
    body = []
    for row in rows:
        cells = ''.join(f'<td>{html.escape(format(row[name], form))}' for name, _, form in COLUMNS)
        body.append(f'<tr>{cells}')
    return f'<div class=wide><table><tr>{head}\n' + '\n'.join(body) + '</table></div>'


def page(rows, machine, crypto_perf):
    facts = '<br>'.join(f'{html.escape(name)}: {html.escape(str(value))}'
                        for name, value in machine.items() if name != 'commands')
    commands = '\n'.join(html.escape(command) for command in machine.get('commands', []))
    parts = [
        '<!doctype html><html lang=en><meta charset=utf-8><title>sekisho: throughput</title>',
        f'<style>{STYLE}</style><h1>sekisho: throughput</h1><p>{facts}</p><pre>{commands}</pre>',
        '<p>Sizes are those of inner IP packets, and Gbit/s count their bytes. Dotted: I/O floor '
        'and crypto limit, measured in the same run; what is above is overhead.</p>']
    for title, plot in (
            ('Cycles against size', lines(rows, 'size', 'inner IP packet, bytes', 'linear')),
            ('Cycles against SAs', lines(rows, 'sas', 'SAs', 'log')),
            ('Cycles against policies',
             lines([row for row in rows if row['sas'] == 1000], 'policies', 'policies', 'log',
                   ('policies',))),
            ('Stages', stages(rows))):
        if plot:
            parts.append(f'<h2>{title}</h2>{plot}')
    parts.append(f'<h2>All rows</h2>{table(rows)}')
    if crypto_perf:
        parts.append('<h2>dpdk-test-crypto-perf</h2><p>AES-128-GCM by crypto_aesni_gcm, cycles per '
                     'buffer: ' + '; '.join(
                         f"{row['direction']} {row['size']} B {row['cycles']:.0f}"
                         for row in crypto_perf))
    return '\n'.join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--output', required=True)
    parser.add_argument('files', nargs='+')
    arguments = parser.parse_args()
    rows, machine, crypto_perf = load(arguments.files)
    if not rows:
        sys.exit('report.py: these files hold no rows')
    os.makedirs(arguments.output, exist_ok=True)
    with open(os.path.join(arguments.output, 'bench.json'), 'w', encoding='utf-8') as file:
        json.dump({'machine': machine, 'rows': rows, 'crypto_perf': crypto_perf}, file, indent=1)
    path = os.path.join(arguments.output, 'bench.html')
    with open(path, 'w', encoding='utf-8') as file:
        file.write(page(rows, machine, crypto_perf))
    print(f'{len(rows)} rows: {path}, and bench.json beside it')


if __name__ == '__main__':
    main()
