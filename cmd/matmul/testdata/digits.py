"""Makes digits_gram.sha256: what NumPy finds for the digits times their
transpose. The elements are integers from 0 to 16, so the product is exact in
any order of summation. Run in this directory: python3 digits.py"""

import hashlib

import numpy as np

x = np.load("../../../examples/digits.npy").astype("f8")
gram = np.ascontiguousarray(x @ x.T)
assert np.array_equal(gram, (x.astype("i8") @ x.T.astype("i8")))
with open("digits_gram.sha256", "w") as f:
    f.write(hashlib.sha256(gram.astype("<f8").tobytes()).hexdigest() + "\n")
