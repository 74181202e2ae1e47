"""The guest: the program that is process 1 of every sandbox.

Its modules use the standard library only, run on Python 3.9 and later, and import nothing of farm but each other: the
host sends their text over the container's standard input (`farm.sandbox.bootstrap`), so nothing has to be mounted for
them.
"""
