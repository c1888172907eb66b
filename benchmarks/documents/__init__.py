"""The figures of the documentation, written from results and formulas: no hand gets them wrong.

What a result does not hold is left out; nothing here is measured.
"""
