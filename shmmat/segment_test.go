package shmmat

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func create(t *testing.T, k Kind, l Layout) *Segment {
	t.Helper()
	s, err := Create(k, l, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func view(t *testing.T, s *Segment, r Rights) *View {
	t.Helper()
	v, err := s.Map(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

// joined attaches to s as another process would.
func joined(t *testing.T, s *Segment) *Segment {
	t.Helper()
	h, f := s.Handle()
	if f != nil {
		var err error
		if f, err = os.OpenFile("/proc/self/fd/"+itoa(int(f.Fd())), os.O_RDWR, 0); err != nil {
			t.Fatal(err)
		}
	}
	other, err := Attach(h, f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	return other
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

func TestWhatOneSideWritesTheOtherReads(t *testing.T) {
	for _, k := range Shared() {
		t.Run(k.String(), func(t *testing.T) {
			l := someLayout(t)
			s := create(t, k, l)
			other := joined(t, s)
			if other.Layout != l {
				t.Fatalf("layout %+v, want %+v", other.Layout, l)
			}
			mine, theirs := view(t, s, All(true)), view(t, other, MultiplyRights())
			for _, r := range []Region{RowsA, PanelsA, C} {
				b := mine.Bytes(r)
				if !bytes.Equal(b, make([]byte, len(b))) {
					t.Errorf("%s is not zero to begin with", r)
				}
				b[0], b[len(b)-1] = byte(r), 0xff
				if got := theirs.Bytes(r); got[0] != byte(r) || got[len(got)-1] != 0xff {
					t.Errorf("%s: the other side reads %x…%x", r, got[0], got[len(got)-1])
				}
			}
		})
	}
}

// faults reports the address at which do faults, 0 if it does not.
func faults(do func()) (addr uintptr) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		var err runtime.Error
		if r, ok := recover().(error); ok && errors.As(r, &err) {
			addr = err.(interface{ Addr() uintptr }).Addr()
		}
	}()
	do()
	return 0
}

func TestRightsAndGuardsHold(t *testing.T) {
	for _, k := range Shared() {
		t.Run(k.String(), func(t *testing.T) {
			s := create(t, k, someLayout(t))
			v := view(t, s, MultiplyRights())
			panels, c := v.Bytes(PanelsA), v.Bytes(C)
			if faults(func() { c[0] = 1 }) != 0 {
				t.Error("C cannot be written")
			}
			if faults(func() { sink = panels[len(panels)-1] }) != 0 {
				t.Error("panels cannot be read")
			}
			if where, _ := v.Find(faults(func() { panels[8] = 1 })); where != "A panels + 8 bytes" {
				t.Errorf("writing to the panels: %q", where)
			}
			behind := v.span.Bytes(v.layout.At[PanelsA].Off+v.layout.At[PanelsA].Len, 1)
			if where, _ := v.Find(faults(func() { behind[0] = 1 })); where != "the guard behind A panels" {
				t.Errorf("writing behind the panels: %q", where)
			}
			p := view(t, s, PackRights())
			at := p.span.Bytes(p.layout.At[C].Off, 1)
			if where, _ := p.Find(faults(func() { sink = at[0] })); k != Heap && where != "C + 0 bytes" {
				t.Errorf("reading C in PACK's view: %q", where)
			}
		})
	}
}

func TestBytesOfARegionWithoutAccessPanics(t *testing.T) {
	v := view(t, create(t, Heap, someLayout(t)), PackRights())
	defer func() {
		if r := recover(); r == nil || !strings.Contains(r.(string), "C") {
			t.Errorf("got %v", r)
		}
	}()
	v.Bytes(C)
}

func TestAttachRefusesWhatIsNotASegment(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(1 << 20); err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]Handle{
		"zeros": {Kind: Memfd, Size: 1 << 20}, "too small": {Kind: Memfd, Size: 1},
		"no such id": {Kind: SysV, Size: 1 << 20, ID: -1}, "longer than the file": {Kind: File, Size: 1 << 30},
	} {
		g, err := os.Open(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if s, err := Attach(h, g); err == nil {
			s.Close()
			t.Errorf("%s: attached", name)
		}
	}
	if _, err := Attach(Handle{Kind: Memfd, Size: 1 << 20}, nil); err == nil {
		t.Error("attached without a descriptor")
	}
}

func TestCreateSaysWhatIsNotToBeHad(t *testing.T) {
	huge, err := NewLayout(Lengths{C: 1 << 60})
	if err != nil {
		t.Fatal(err)
	}
	// Memfd is not here: nothing bounds it but the machine's memory, and it
	// would be filled. Whoever makes one looks at the memory first.
	for _, k := range []Kind{Posix, SysV, File} {
		if s, err := Create(k, huge, t.TempDir()); !errors.Is(err, ErrUnavailable) {
			if s != nil {
				s.Close()
			}
			t.Errorf("%s of an exbibyte: got %v, want ErrUnavailable", k, err)
		}
	}
	if _, err := Create(File, someLayout(t), "/nonexistent"); !errors.Is(err, ErrUnavailable) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("file in no directory: got %v", err)
	}
}

func TestNothingStaysWhenASegmentIsClosed(t *testing.T) {
	dir := t.TempDir()
	state := func() string {
		var b strings.Builder
		for _, name := range []string{"/proc/self/fd", "/dev/shm", dir} {
			entries, err := os.ReadDir(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				b.WriteString(name + "/" + e.Name() + "\n")
			}
		}
		ipc, _ := os.ReadFile("/proc/sysvipc/shm") // not there without System V
		for line := range strings.Lines(string(ipc)) {
			// key shmid perms size cpid …: other tests make segments meanwhile
			if f := strings.Fields(line); len(f) > 4 && f[4] == itoa(os.Getpid()) {
				b.WriteString(line)
			}
		}
		return b.String()
	}
	before := state()
	for _, k := range Shared() {
		s, err := Create(k, someLayout(t), dir)
		if err != nil {
			t.Fatal(err)
		}
		v, err := s.Map(All(true))
		if err != nil {
			t.Fatal(err)
		}
		v.Close()
		s.Close()
	}
	if after := state(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func TestAMemfdCannotBeResized(t *testing.T) {
	s := create(t, Memfd, someLayout(t))
	_, f := s.Handle()
	if f.Truncate(0) == nil || f.Truncate(1<<40) == nil {
		t.Error("it can")
	}
}

// sink keeps a read from being optimised away.
var sink byte

func TestPagesThatAreMadePresentKeepWhatIsThere(t *testing.T) {
	l, err := NewLayout(Lengths{PanelsA: 5 << 20, C: 3 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range append(Shared(), Heap) {
		s := create(t, k, l)
		writer := view(t, s, All(true))
		for i, b := 0, writer.Bytes(PanelsA); i < len(b); i += 4096 {
			b[i] = byte(i >> 12)
		}
		readers := []*View{view(t, s, MultiplyRights()), view(t, s, PackRights())}
		for _, v := range readers {
			v.PopulateRest()
			t.Logf("%s: %d bytes in huge pages", k, v.Settle())
		}
		for _, v := range append(readers, writer) {
			for i, b := 0, v.Bytes(PanelsA); i < len(b); i += 4096 {
				if b[i] != byte(i>>12) {
					t.Fatalf("%s: byte %d is %d", k, i, b[i])
				}
			}
		}
	}
}
