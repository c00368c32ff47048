package shmmat

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// The header is little-endian and 256 bytes long:
//
//	  0  magic "matmul\x00\x1a"
//	  8  version uint32, kind uint32
//	 16  size of the segment uint64
//	 24  regions × {offset uint64, length uint64}
//	252  CRC-32C of what stands before it
//
// It is checked in that order: a segment that is not ours, then one of another
// version, then one whose layout cannot be trusted.
const (
	headerMagic   = "matmul\x00\x1a"
	headerVersion = 2
	headerSize    = 256
	extentsOff    = 24
	checksumOff   = headerSize - 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func encodeHeader(k Kind, l Layout) []byte {
	b := make([]byte, headerSize)
	copy(b, headerMagic)
	binary.LittleEndian.PutUint32(b[8:], headerVersion)
	binary.LittleEndian.PutUint32(b[12:], uint32(k))
	binary.LittleEndian.PutUint64(b[16:], uint64(l.Size))
	for r, e := range l.At {
		binary.LittleEndian.PutUint64(b[extentsOff+16*r:], uint64(e.Off))
		binary.LittleEndian.PutUint64(b[extentsOff+16*r+8:], uint64(e.Len))
	}
	sealHeader(b)
	return b
}

// sealHeader writes the checksum of a header.
func sealHeader(b []byte) {
	binary.LittleEndian.PutUint32(b[checksumOff:], crc32.Checksum(b[:checksumOff], castagnoli))
}

// decodeHeader returns what a header of a segment of size bytes describes.
func decodeHeader(b []byte, size int64) (Kind, Layout, error) {
	if len(b) < headerSize || string(b[:8]) != headerMagic {
		return 0, Layout{}, fmt.Errorf("%w: not a matmul segment", ErrLayout)
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != headerVersion {
		return 0, Layout{}, fmt.Errorf("%w: version %d, want %d", ErrLayout, v, headerVersion)
	}
	if n := binary.LittleEndian.Uint64(b[16:]); n != uint64(size) {
		return 0, Layout{}, fmt.Errorf("%w: header says %d bytes, the segment has %d", ErrLayout, n, size)
	}
	if crc32.Checksum(b[:checksumOff], castagnoli) != binary.LittleEndian.Uint32(b[checksumOff:]) {
		return 0, Layout{}, fmt.Errorf("%w: checksum does not match", ErrLayout)
	}
	k := binary.LittleEndian.Uint32(b[12:])
	l := Layout{Size: size}
	for r := range l.At {
		l.At[r].Off = int64(binary.LittleEndian.Uint64(b[extentsOff+16*r:]))
		l.At[r].Len = int64(binary.LittleEndian.Uint64(b[extentsOff+16*r+8:]))
	}
	if k >= uint32(len(kindNames)) {
		return 0, Layout{}, fmt.Errorf("%w: unknown kind %d", ErrLayout, k)
	}
	return Kind(k), l, l.check()
}
