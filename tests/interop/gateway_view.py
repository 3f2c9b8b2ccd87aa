#!/usr/bin/env python3
"""Reads the JSON of `sekishoctl --json show ...` on standard input and answers one question.

gateway_view.py accounting     'received R + made here M = ...'; exit status 1 if that is not so
gateway_view.py drop REGEX     packets dropped under the names that match, all of it
gateway_view.py drops          each name with a count above zero, one a line
gateway_view.py count WHAT     how many entries the list has
gateway_view.py workers NAME   the sum over all workers of what is called so
gateway_view.py field NAME...  the first value called so, anywhere; in it the next, and so on
"""
import json
import re
import sys

OUT = ('sent', 'delivered', 'punted', 'consumed', 'dropped', 'held')


def find(value, name):
    """The first value called `name`, at any depth."""
    if isinstance(value, dict):
        if name in value:
            return value[name]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            found = find(item, name)
            if found is not None:
                return found
    return None


def the_list(value):
    """The list that the answer is, or holds."""
    if isinstance(value, dict):
        lists = [item for item in value.values() if isinstance(item, list)]
        if len(lists) != 1:
            raise ValueError(f'want one list, found {len(lists)}')
        value = lists[0]
    if not isinstance(value, list):
        raise ValueError('want a list')
    return value


def drop_counts(value):
    """{name: packets} of the reasons that happened."""
    return {name: int(count) for name, count in value['drops'].items()}


def accounting(value):
    total = {name: find(value, name) for name in ('received', 'made_here') + OUT}
    absent = [name for name, count in total.items() if count is None]
    if absent:
        print('not in the answer: ' + ', '.join(absent))
        return 1
    left = total['received'] + total['made_here']
    right = sum(total[name] for name in OUT)
    print(f'received {total["received"]} + made here {total["made_here"]} '
          f'{"=" if left == right else "IS NOT"} '
          + ' + '.join(f'{name} {total[name]}' for name in OUT))
    return 0 if left == right else 1


def main():
    question, arguments = sys.argv[1], sys.argv[2:]
    try:
        value = json.load(sys.stdin)
        if question == 'accounting':
            return accounting(value)
        if question == 'drop':
            print(sum(count for name, count in drop_counts(value).items()
                      if re.fullmatch(arguments[0], name)))
        elif question == 'drops':
            for name, count in drop_counts(value).items():
                if count:
                    print(f'{count:10} {name}')
        elif question == 'count':
            print(len(the_list(value)))
        elif question == 'workers':
            print(sum(worker[arguments[0]] for worker in value['workers']))
        elif question == 'field':
            for name in arguments:
                value = find(value, name)
            print(value)
    except (ValueError, KeyError, TypeError) as error:
        print(f'the gateway\'s answer is not understood: {error!r}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
