package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"

	"matmul/tiling"
)

const (
	magic   = "matmul\x00\x1b"
	version = 1

	jobOff     = 16
	maxJob     = 64 << 10 // bytes: a job takes less than 2 KiB
	sector     = 512
	recordSize = 64
	markSize   = 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal puts the checksum of b into its last four bytes.
func seal(b []byte) {
	body := b[:len(b)-4]
	binary.LittleEndian.PutUint32(b[len(body):], crc32.Checksum(body, castagnoli))
}

// sealed reports whether b has the checksum that seal put there.
func sealed(b []byte) bool {
	body := b[:len(b)-4]
	return binary.LittleEndian.Uint32(b[len(body):]) == crc32.Checksum(body, castagnoli)
}

// A Record says that a rectangle of C is on disk, and what its bytes sum up to.
type Record struct {
	Rect tiling.Rect
	Sum  uint32 // CRC-32C of its bytes, row by row
}

// mark is what ties a record to its journal's header.
type mark [markSize]byte

func markOf(header []byte) (m mark) {
	sum := sha256.Sum256(header)
	copy(m[:], sum[:])
	return m
}

func (r Record) encode(seq uint64, m mark) []byte {
	b := make([]byte, recordSize)
	le := binary.LittleEndian
	le.PutUint64(b, seq)
	for i, v := range []int64{r.Rect.R0, r.Rect.R1, r.Rect.C0, r.Rect.C1} {
		le.PutUint64(b[8+8*i:], uint64(v))
	}
	le.PutUint32(b[40:], r.Sum)
	copy(b[44:], m[:])
	seal(b)
	return b
}

// decode returns the record that b holds, if it is whole, the seq-th, and of
// the journal of job j.
func decode(b []byte, seq uint64, m mark, j Job) (r Record, err error) {
	le := binary.LittleEndian
	at := func(i int) int64 { return int64(le.Uint64(b[8+8*i:])) }
	r = Record{Rect: tiling.Rect{R0: at(0), R1: at(1), C0: at(2), C1: at(3)}, Sum: le.Uint32(b[40:])}
	switch {
	case !sealed(b):
		return r, fmt.Errorf("its checksum does not match")
	case !bytes.Equal(b[44:44+markSize], m[:]):
		return r, fmt.Errorf("it is of another journal")
	case le.Uint64(b) != seq:
		return r, fmt.Errorf("it has the number %d", le.Uint64(b))
	case !r.Rect.Inside(j.M, j.N):
		return r, fmt.Errorf("%v lies outside C", r.Rect)
	}
	return r, nil
}

// header returns the header of a job's journal.
func header(j Job) ([]byte, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return nil, fmt.Errorf("encode job: %w", err)
	}
	b := make([]byte, headerLen(len(text)))
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[8:], version)
	binary.LittleEndian.PutUint32(b[12:], uint32(len(text)))
	copy(b[jobOff:], text)
	seal(b)
	return b, nil
}

// headerLen returns the length of a header with a job of n bytes.
func headerLen(n int) int { return (jobOff + n + 4 + sector - 1) / sector * sector }
