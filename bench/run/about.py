# Says which NumPy, which BLAS and which of its kernels the comparison has.
import ctypes

import numpy

numpy.ones((2, 2)) @ numpy.ones((2, 2))
about = "NumPy " + numpy.__version__
with open("/proc/self/maps") as maps:
    paths = {line.split()[-1] for line in maps if "blas" in line}
for path in sorted(paths, key=len, reverse=True):
    library = ctypes.CDLL(path)
    if hasattr(library, "openblas_get_corename"):
        for name in "openblas_get_config", "openblas_get_corename":
            f = getattr(library, name)
            f.restype = ctypes.c_char_p
            about += ", " + f().decode()
        break
print(about)
