"""What a token costs at a utilization, what it is worth at an API, and where the two meet.

Pure arithmetic over stated inputs: nothing here measures. Prices and bills are integers; ratios
are Decimals, and become floats only where they are drawn or written as JSON.
"""
