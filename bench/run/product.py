# The product that `matmul run` is compared with: load, multiply, save, fsync.
# Prints the seconds from after the import of NumPy to the end.
import os
import sys
import time

import numpy

start = time.perf_counter()
a, b = numpy.load(sys.argv[1]), numpy.load(sys.argv[2])
c = a @ b
with open(sys.argv[3], "wb") as f:
    numpy.save(f, c)
    f.flush()
    os.fsync(f.fileno())
print(time.perf_counter() - start)
