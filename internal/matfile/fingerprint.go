package matfile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// A Fingerprint tells a file and its contents from others without reading all
// of it.
type Fingerprint struct {
	Size     int64  `json:"size"`
	Modified string `json:"modified"` // seconds and nanoseconds since 1970
	Changed  string `json:"changed"`  // the same, of the inode
	Digest   string `json:"digest"`   // SHA-256 of header and samples, in hex
}

// What is sampled: blocks at equal distances, which overlap in a small file.
const (
	sampleBlock = 4096
	samples     = 64
)

// Fingerprint returns what the file was when it was opened, and a digest of its
// layout, its header and 64 blocks of 4 KiB, among them the first and the last. Of
// a stream it is the size of what came and the digest of all of it.
func (f *File) Fingerprint() (Fingerprint, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s %v %v\n", f.Shape(), f.Elem, f.BigEndian, f.Fortran)
	hash := func(at, length int64) error {
		_, err := io.Copy(h, io.NewSectionReader(f.named(), at, length))
		return err
	}
	var err error
	if f.path == "" {
		_, err = io.Copy(h, io.NewSectionReader(f.File, f.Offset, f.DataSize()))
		return Fingerprint{Size: f.DataSize(), Digest: hex.EncodeToString(h.Sum(nil))}, f.readError(err)
	}
	last := max(f.opened.size-sampleBlock, 0)
	if f.origin == nil {
		err = hash(f.start, f.Offset-f.start)
	}
	err = errors.Join(err, hash(last, sampleBlock))
	for i := range int64(samples - 1) {
		err = errors.Join(err, hash(last/(samples-1)*i, sampleBlock))
	}
	if err != nil {
		return Fingerprint{}, f.readError(err)
	}
	at := func(sec, nsec int64) string { return fmt.Sprintf("%d.%09d", sec, nsec) }
	return Fingerprint{
		Size:     f.opened.size,
		Modified: at(int64(f.opened.mtime.Sec), int64(f.opened.mtime.Nsec)),
		Changed:  at(int64(f.opened.ctime.Sec), int64(f.opened.ctime.Nsec)),
		Digest:   hex.EncodeToString(h.Sum(nil)),
	}, nil
}

func (f *File) readError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("read %s: %w", printable(f.Path), bare(err))
}
