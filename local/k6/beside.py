#!/usr/bin/env python3
"""Takes as much of a processor as k6 does, until it is ended: beside.py CPU_MS, where that is what k6 takes for a request.

So many requests a second as the seeds' load has on the mean, at random moments.
"""

import random
import sys
import time

REQUESTS_A_SECOND = 121


def main():
    seconds = float(sys.argv[1]) / 1000
    while True:
        time.sleep(random.expovariate(REQUESTS_A_SECOND))
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass


main()
