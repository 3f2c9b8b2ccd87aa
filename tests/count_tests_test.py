#!/usr/bin/env python3
"""Tests count_tests.py: what tools/test says at its end must not be better than the truth."""
import unittest

from count_tests import count

GOOD = '[==========] 3 tests ran.\n[  PASSED  ] 3 tests.\n'
MIXED = '[  PASSED  ] 2 tests.\n[  SKIPPED ] 1 test, listed below:\n[  FAILED  ] 4 tests, listed below:\n'
CUT = '[ RUN      ] A.B\n[       OK ] A.B (0 ms)\n[ RUN      ] A.C\n'


class CountTest(unittest.TestCase):
    def check(self, result, stdout, expected):
        self.assertEqual(count({'result': result, 'stdout': stdout}), expected)

    def test_each_case_of_a_program_counts(self):
        self.check('OK', GOOD, (3, 0, 0))
        self.check('FAIL', MIXED, (2, 4, 1))

    def test_a_crash_after_good_tests_is_a_failure(self):
        self.check('FAIL', CUT, (0, 1, 0))
        self.check('TIMEOUT', None, (0, 1, 0))

    def test_a_leak_found_after_the_last_test_is_a_failure(self):
        self.check('FAIL', GOOD, (3, 1, 0))

    def test_what_is_no_gtest_counts_once(self):
        self.check('OK', 'all is well', (1, 0, 0))
        self.check('ERROR', '', (0, 1, 0))
        self.check('SKIP', '', (0, 0, 1))


if __name__ == '__main__':
    unittest.main()
