package verify

// A rect is the rows [r0, r1) and columns [c0, c1) of an operand.
type rect struct{ r0, r1, c0, c1 int64 }

// readRect reads rectangle r of op(X) into dst, row-major with leading
// dimension ld, rounded to the type. Whole lines are read many at a time,
// parts of lines one at a time.
func (x *operand) readRect(dst []float64, ld int, r rect, s *scratch) error {
	l0, l1, e0, e1 := r.r0, r.r1, r.c0, r.c1 // lines, and elements of each
	if !x.byRows {
		l0, l1, e0, e1 = r.c0, r.c1, r.r0, r.r1
	}
	_, length := x.lines()
	if e0 == 0 && e1 == length && length == x.stride && 0 < length && length <= int64(len(s.f64)) {
		return x.readLines(dst, ld, l0, l1, s)
	}
	step := int64(len(s.f64))
	for l := l0; l < l1; l++ {
		for e := e0; e < e1; e += step {
			part, err := x.run(s, x.at(l, e), min(step, e1-e))
			if err != nil {
				return err
			}
			x.place(dst, ld, int(l-l0), int(e-e0), part)
		}
	}
	return nil
}

// readLines reads the whole lines [l0, l1), as many at once as the buffer
// holds.
func (x *operand) readLines(dst []float64, ld int, l0, l1 int64, s *scratch) error {
	_, length := x.lines()
	step := int64(len(s.f64)) / length
	for l := l0; l < l1; l += step {
		count := min(step, l1-l)
		part, err := x.run(s, x.at(l, 0), count*length)
		if err != nil {
			return err
		}
		for i := range count {
			x.place(dst, ld, int(l-l0+i), 0, part[i*length:(i+1)*length])
		}
	}
	return nil
}

// place puts a part of line l, from its element e on, where it belongs in a
// row-major dst.
func (x *operand) place(dst []float64, ld, l, e int, part []float64) {
	if x.byRows {
		copy(dst[l*ld+e:], part)
		return
	}
	for i, v := range part {
		dst[(e+i)*ld+l] = v
	}
}

// readRows is readRect for any rows, in ascending order: neighbours are read
// together. Row i of dst is rows[i].
func (x *operand) readRows(dst []float64, ld int, rows []int64, c0, c1 int64, s *scratch) error {
	for i := 0; i < len(rows); {
		e := i + 1
		for e < len(rows) && rows[e] == rows[e-1]+1 {
			e++
		}
		if err := x.readRect(dst[i*ld:], ld, rect{rows[i], rows[e-1] + 1, c0, c1}, s); err != nil {
			return err
		}
		i = e
	}
	return nil
}
