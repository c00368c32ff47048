package journal

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"matmul/internal/matfile"
	"matmul/tiling"
)

// Check reads the rectangles of the records from the elements of C as info says
// they lie in f, and returns those whose bytes have the recorded checksum. The
// progress, in bytes, is told to progress.
func Check(ctx context.Context, f io.ReaderAt, info matfile.Info, records []Record, progress func(done, total int64)) (kept []tiling.Rect, err error) {
	size := int64(info.Elem.Size())
	done, total := int64(0), int64(0)
	for _, r := range records {
		total += r.Rect.Rows() * r.Rect.Cols() * size
	}
	buf := make([]byte, max(1, min(1<<20, total)))
	seen := map[Record]bool{}
	for _, r := range records {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		if !seen[r] {
			seen[r] = true
			sum, err := rectSum(f, info, r.Rect, buf)
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", info.Path, err)
			}
			if sum == r.Sum {
				kept = append(kept, r.Rect)
			}
		}
		done += r.Rect.Rows() * r.Rect.Cols() * size
		progress(done, total)
	}
	return kept, nil
}

// rectSum returns the CRC-32C of a rectangle's bytes. What lies behind the end
// of the file counts as nothing.
func rectSum(f io.ReaderAt, info matfile.Info, r tiling.Rect, buf []byte) (sum uint32, err error) {
	size := int64(info.Elem.Size())
	rows, run := r.Rows(), r.Cols()*size
	if r.Cols() == info.Cols { // one row after the other without a gap
		rows, run = min(rows, 1), rows*run
	}
	for i := range rows {
		from := io.NewSectionReader(f, info.Offset+((r.R0+i)*info.Cols+r.C0)*size, run)
		for {
			n, err := io.ReadFull(from, buf)
			sum = crc32.Update(sum, castagnoli, buf[:n])
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				break
			}
			if err != nil {
				return 0, err
			}
		}
	}
	return sum, nil
}
