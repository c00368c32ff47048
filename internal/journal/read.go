package journal

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// errDamaged is what a header gives that does not say whose journal it is.
var errDamaged = errors.New("the header is damaged")

// A refusal is why a journal is not this job's.
type refusal struct{ problem, want string }

func (r refusal) Error() string { return r.problem }

// readHeader reads the header of a journal and returns it as it is stored. The
// errors are errDamaged, a refusal, or the system's.
func readHeader(r io.Reader, j Job) ([]byte, error) {
	b := make([]byte, sector)
	n, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		b = b[:n]
	} else if err != nil {
		return nil, err
	}
	head := string(b[:min(len(magic), len(b))])
	switch {
	case head != magic && strings.HasPrefix(magic, strings.TrimRight(head, "\x00")):
		return nil, errDamaged // what a power cut leaves of the first write
	case head != magic:
		return nil, refusal{"is not a journal", "one of matmul"}
	case len(b) < sector:
		return nil, errDamaged
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != version {
		return nil, refusal{fmt.Sprintf("is of version %d", v), fmt.Sprintf("version %d", version)}
	}
	length := binary.LittleEndian.Uint32(b[12:])
	if length > maxJob {
		return nil, errDamaged
	}
	b = append(b, make([]byte, headerLen(int(length))-sector)...)
	if _, err := io.ReadFull(r, b[sector:]); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errDamaged
	} else if err != nil {
		return nil, err
	}
	if !sealed(b) {
		return nil, errDamaged
	}
	var there Job
	d := json.NewDecoder(bytes.NewReader(b[jobOff : jobOff+length]))
	d.DisallowUnknownFields()
	if err := d.Decode(&there); err != nil {
		return nil, errDamaged
	}
	if what := j.differs(there); what != "" {
		return nil, refusal{problem: what}
	}
	return b, nil
}

// readRecords reads records up to the first bad one, and says why that is bad;
// "" if there is none.
func readRecords(r io.Reader, m mark, j Job) (records []Record, cut string, err error) {
	in := bufio.NewReader(r)
	b := make([]byte, recordSize)
	for {
		_, err := io.ReadFull(in, b)
		switch {
		case errors.Is(err, io.EOF):
			return records, "", nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return records, fmt.Sprintf("record %d is incomplete; it is cut there", len(records)), nil
		case err != nil:
			return records, "", err
		}
		rec, err := decode(b, uint64(len(records)), m, j)
		if err != nil {
			return records, fmt.Sprintf("record %d is bad: %v; it is cut there", len(records), err), nil
		}
		records = append(records, rec)
	}
}
