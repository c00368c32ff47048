#!/usr/bin/python3
"""Write the fixtures of package matfile. Needs NumPy 1.20 or newer; the tests do not.

    cd internal/matfile/testdata && python3 make.py

numpy/TYPE-ORDER-LAYOUT-vN.npy are 3 x 5 matrices, written by NumPy. Their
element in row i, column j, with n = 5*i + j, is (n - 7) / 2 for floating
point, n - 7 for signed and n for unsigned integers, n % 3 == 0 for bool.
The others are described in parse_test.go and read_test.go. formats/ has such
matrices in other formats. refused/ is what matmul must not read.
"""
import os
import struct

import numpy as np
from numpy.lib import format

ROWS, COLS = 3, 5
TYPES = ["f8", "f4", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"]


def elements(code):
    n = np.arange(ROWS * COLS).reshape(ROWS, COLS)
    if code[0] == "f":
        return (n - 7) / 2
    if code == "b1":
        return n % 3 == 0
    return n - 7 if code[0] == "i" else n


def write(path, array, version=(1, 0)):
    with open(path, "wb") as f:
        format.write_array(f, array, version=version)


def by_hand(path, header, data, version=1, terminator="\n"):
    """What NumPy reads, or once wrote, but writes no more."""
    text = (header + terminator).encode("latin1")
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY" + bytes([version, 0]) + length + text + data)


def matrices():
    for code in TYPES:
        for order, sign in (("little", "<"), ("big", ">")):
            for layout in ("C", "F"):
                for version in (1, 2, 3):
                    if version > 1 and code not in ("f8", "f4"):
                        continue
                    array = np.array(elements(code), dtype=sign + code, order=layout)
                    name = f"{code}-{order}-{layout}-v{version}.npy"
                    write(os.path.join("numpy", name), array, (version, 0))


def archives():
    """All types, big-endian Fortran order too, stored and deflated."""
    arrays = {c: np.array(elements(c), dtype="<" + c) for c in TYPES}
    arrays.update({c + "-big-F": np.array(elements(c), dtype=">" + c, order="F") for c in TYPES})
    np.savez("formats/stored.npz", **arrays)
    np.savez_compressed("formats/deflated.npz", **arrays)


def texts():
    """The float64 matrix, as NumPy writes it for others."""
    array = elements("f8")
    np.savetxt("formats/savetxt.txt", array)
    np.savetxt("formats/savetxt.csv", array, delimiter=",", header="a,b,c,d,e")
    np.savetxt("formats/names.csv", array, delimiter=",", header="a,b,c,d,e", comments="", newline="\r\n")
    np.savetxt("formats/savetxt.tsv", array, delimiter="\t", fmt="%.17g")
    array.tofile("formats/little.raw")
    array.T.astype(">f4").tofile("formats/transposed-big-f4.raw")


def others():
    n = np.arange(6, dtype="f8")
    write("numpy/vector.npy", n)
    write("numpy/vector-f4-big.npy", n.astype(">f4"))
    write("numpy/one-row.npy", n.reshape(1, 6))
    write("numpy/one-column.npy", n.reshape(6, 1))
    write("numpy/no-rows.npy", np.zeros((0, 5)))
    write("numpy/no-columns.npy", np.zeros((5, 0), order="F"))
    write("numpy/no-elements.npy", np.zeros(0))
    write("numpy/strided.npy", np.arange(24.0).reshape(4, 6)[::2, ::3])
    special = [np.nan, np.inf, -np.inf, -0.0, 5e-324, np.finfo("f8").max]
    write("numpy/special.npy", np.array(special))
    write("numpy/int64-limits.npy", np.array([[2**53, -2**53], [2**62, -2**63]], dtype="i8"))
    write("numpy/int64-inexact.npy", np.array([[1, 2], [3, 2**53 + 1]], dtype="<i8", order="F"))
    data = n.astype("<f8").tobytes()
    row = "'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)"
    by_hand("numpy/unaligned.npy", "{" + row + "}", data)
    by_hand("numpy/no-newline.npy", "{" + row + "}", data, terminator="")
    by_hand("numpy/python2-long.npy", "{" + row.replace("2, 3", "2L, 3L") + ", }", data)
    by_hand("numpy/spaced.npy", ' \t{ "shape" :( 2 ,3, ),\n"fortran_order":False , "descr":"<f8"}  \r\n ', data)
    by_hand("numpy/one-byte-order.npy", "{'descr': '>u1', 'fortran_order': False, 'shape': (2, 3)}", bytes(range(6)))
    by_hand("numpy/vector-fortran.npy", "{'descr': '<f8', 'fortran_order': True, 'shape': (6,)}", data, version=2)


def refused():
    write("refused/complex64.npy", np.zeros((2, 2), "c8"))
    write("refused/complex128.npy", np.zeros((2, 2), "c16"))
    write("refused/float16.npy", np.zeros((2, 2), "f2"))
    write("refused/longdouble.npy", np.zeros((2, 2), "longdouble"))
    write("refused/object.npy", np.array([["a", 1]], dtype=object))
    write("refused/string.npy", np.array([["a", "bc"]]))
    write("refused/bytes.npy", np.array([[b"a", b"bc"]]))
    write("refused/void.npy", np.zeros((2, 2), "V3"))
    write("refused/datetime.npy", np.zeros((2, 2), "M8[s]"))
    write("refused/structured.npy", np.zeros((2, 2), [("x", "<f8"), ("y", "<i4", (2,))]))
    write("refused/unicode-field.npy", np.zeros(2, [("\u03b1", "<f8")]), (3, 0))
    write("refused/three.npy", np.zeros((2, 3, 4)))
    write("refused/many.npy", np.zeros((1,) * 32))
    write("refused/scalar.npy", np.array(1.0))
    np.savez("refused/archive.npz", a=np.zeros(2))


if __name__ == "__main__":
    os.makedirs("numpy", exist_ok=True)
    os.makedirs("refused", exist_ok=True)
    os.makedirs("formats", exist_ok=True)
    matrices()
    others()
    archives()
    texts()
    refused()
