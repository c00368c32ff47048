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
// header and of 64 blocks of 4 KiB, among them the first and the last.
func (f *File) Fingerprint() (Fingerprint, error) {
	h := sha256.New()
	last := max(f.opened.size-sampleBlock, 0)
	hash := func(at, length int64) error {
		_, err := io.Copy(h, io.NewSectionReader(f, at, length))
		return err
	}
	err := errors.Join(hash(0, f.Offset), hash(last, sampleBlock))
	for i := range int64(samples - 1) {
		err = errors.Join(err, hash(last/(samples-1)*i, sampleBlock))
	}
	if err != nil {
		return Fingerprint{}, fmt.Errorf("read %s: %w", printable(f.Path), bare(err))
	}
	time := func(sec, nsec int64) string { return fmt.Sprintf("%d.%09d", sec, nsec) }
	return Fingerprint{
		Size:     f.opened.size,
		Modified: time(int64(f.opened.mtime.Sec), int64(f.opened.mtime.Nsec)),
		Changed:  time(int64(f.opened.ctime.Sec), int64(f.opened.ctime.Nsec)),
		Digest:   hex.EncodeToString(h.Sum(nil)),
	}, nil
}
