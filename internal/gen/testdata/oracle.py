#!/usr/bin/python3
"""Print what TestNumPyMakesTheSameBytes compares with: SHA-256 of .npy files
that NumPy makes from its own Philox generator, by the formulas in the
package's comment. Needs NumPy 1.17 or newer; the tests do not.
"""
import hashlib
import io

import numpy as np


def show(kind, dtype, seed, array):
    f = io.BytesIO()
    np.lib.format.write_array(f, np.ascontiguousarray(array, dtype="<" + dtype), version=(1, 0))
    rows, cols = array.shape
    print(f'{{"{kind}", "{dtype}", {seed}, {rows}, {cols}, "{hashlib.sha256(f.getvalue()).hexdigest()}"}},')


for seed, rows, cols in ((1, 61, 101), (2, 7, 1), (2**64 - 1, 1, 1001), (0, 0, 5)):
    raw = np.random.Philox(key=seed).random_raw(rows * cols).reshape(rows, cols)
    show("uniform", "f8", seed, (raw >> 11) * 2.0**-52 - 1)
    show("uniform", "f4", seed, (raw >> 40).astype("f4") * 2.0**-23 - 1)
    show("integer", "f8", seed, (raw >> 60) - 8.0)
    show("integer", "f4", seed, (raw >> 60) - 8.0)
    show("identity", "f8", seed, np.eye(rows, cols))
    show("identity", "f4", seed, np.eye(rows, cols))
