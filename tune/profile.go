package tune

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"matmul/internal/elem"
	"matmul/internal/gemm"
	"matmul/tiling"
)

// ProfileVersion is what this program writes and reads. It goes up whenever an
// old profile would choose what was measured for something else.
const ProfileVersion = 1

// ErrProfile is what every reason not to use a profile wraps: it is malformed,
// of another version or machine, or chooses what is not possible.
var ErrProfile = errors.New("profile does not fit")

// A Key says what a profile is for.
type Key struct {
	// Processor is Machine.Processor.
	Processor string `json:"processor"`
	// Type is the element type that is computed in.
	Type string `json:"dtype"`
	// ISA is the instruction set that was asked for; "auto" leaves it to the
	// profile.
	ISA string `json:"isa"`
	// Workers is their number.
	Workers int `json:"workers"`
}

// A Profile is a stored choice, and what it was measured to be.
type Profile struct {
	Version int `json:"matmul_profile"`
	Key
	// Caches are what a worker had of each level when it was measured. Virtual
	// machines of one name differ in them.
	Caches CacheSizes `json:"cache_per_worker"`
	// Kernel is the micro-kernel, as gemm.Kernel.String names it.
	Kernel string `json:"kernel"`
	Choice Choice `json:"choice"`
	// Found is what looked best to a search that was stopped before it could
	// confirm it. The next search begins with it; nothing else uses it.
	Found *Choice `json:"found,omitempty"`
	// Measured is what the choice reached at each size that was tried.
	Measured []Measured `json:"measured,omitempty"`
	Tuned    time.Time  `json:"tuned"`
}

// Measured is the speed of a product.
type Measured struct {
	M      int64   `json:"m"`
	N      int64   `json:"n"`
	K      int64   `json:"k"`
	GFLOPS float64 `json:"gflops"`
	// Ratio is the time by that of the untuned choice, measured in turns.
	Ratio float64 `json:"time_by_untuned"`
}

// Problem returns the size of the product.
func (m Measured) Problem() tiling.Problem { return tiling.Problem{M: m.M, N: m.N, K: m.K} }

// maxProfile bounds what is read: a profile has about a kilobyte.
const maxProfile = 64 << 10

// ReadProfile reads and checks a profile, as far as it can be checked without
// the machine that it is for. Errors wrap [ErrProfile], or are those of r.
func ReadProfile(r io.Reader) (*Profile, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxProfile+1))
	if err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	if len(data) > maxProfile {
		return nil, fmt.Errorf("%w: longer than %s", ErrProfile, FormatBytes(maxProfile))
	}
	return decodeProfile(data)
}

func decodeProfile(data []byte) (*Profile, error) {
	var head struct {
		Version *int `json:"matmul_profile"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("%w: damaged: %w", ErrProfile, err)
	}
	switch {
	case head.Version == nil:
		return nil, fmt.Errorf("%w: not a profile of matmul", ErrProfile)
	case *head.Version != ProfileVersion:
		return nil, fmt.Errorf("%w: version %d, want %d", ErrProfile, *head.Version, ProfileVersion)
	}
	p := &Profile{}
	if err := json.Unmarshal(data, p); err != nil {
		return nil, fmt.Errorf("%w: damaged: %w", ErrProfile, err)
	}
	return p, p.check()
}

// check checks what does not depend on the machine.
func (p *Profile) check() error {
	_, err := elem.Parse(p.Type)
	if err == nil {
		_, err = gemm.ParseISA(p.ISA)
	}
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrProfile, err)
	case p.Processor == "" || len(p.Processor) > 200 || p.Workers < 1 || p.Workers > 1<<20:
		return fmt.Errorf("%w: it is for %d workers on processor %s", ErrProfile, p.Workers, quote(p.Processor))
	}
	return nil
}

// encode returns the profile as it is stored.
func (p *Profile) encode() ([]byte, error) {
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode profile: %w", err)
	}
	return append(data, '\n'), nil
}

// Fits returns nil if the profile may be used by so many workers with these
// shares of the caches; otherwise an error that wraps [ErrProfile] and says why
// not. The kernel is the one that the choice names.
func (p *Profile) Fits(key Key, share CacheSizes) (*gemm.Kernel, error) {
	t, err := elem.Parse(key.Type)
	if err != nil {
		return nil, err
	}
	isa, err := gemm.ParseISA(p.Choice.ISA)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProfile, err)
	}
	if isa == gemm.Auto || key.ISA != gemm.Auto.String() && key.ISA != p.Choice.ISA {
		return nil, fmt.Errorf("%w: it chooses %s, not %s", ErrProfile, p.Choice.ISA, key.ISA)
	}
	k, err := gemm.Lookup(isa, t)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProfile, err)
	}
	switch {
	case p.Key != key:
		return nil, fmt.Errorf("%w: it is for %s, not %s", ErrProfile, p.Key, key)
	case p.Caches != share:
		return nil, fmt.Errorf("%w: it was measured with other caches", ErrProfile)
	case p.Kernel != k.String():
		return nil, fmt.Errorf("%w: it was measured with kernel %s, this is %s", ErrProfile, quote(p.Kernel), k)
	}
	if err := p.Choice.Check(k); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProfile, err)
	}
	return k, nil
}

// String describes the key in a few words.
func (k Key) String() string {
	return fmt.Sprintf("%d worker(s), %s, %s on %s", k.Workers, k.Type, k.ISA, quote(k.Processor))
}
