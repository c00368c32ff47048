package tune

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestGridsAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"tile=64:2048:x2,kc=128:512:64": "tile=64 128 256 512 1024 2048; kc=128 192 256 320 384 448 512",
		"order=rows|columns":            "order=rows columns",
		"tile=512x1024|64":              "tile=512x1024 64",
		"kc=300":                        "kc=300",
		"kc=5:5:1":                      "kc=5",
		"spin=0s|50us,huge=true|false":  "spin=0s 50us; huge=true false",
		"":                              "error",
		"kc":                            "error",
		"kc=":                           "error",
		"kc=a":                          "error",
		"kc=1:2":                        "error",
		"kc=1:2:0":                      "error",
		"kc=2:1:1":                      "error",
		"kc=1:2:x1":                     "error",
		"kc=1:2:xx2":                    "error",
		"kc=1:2:3:4":                    "error",
		"kc=-1:2:1":                     "error",
		"kc=1:99999999999:1":            "error",
		"kc=1,kc=2":                     "error",
		"speed=9":                       "error",
		"tile=1x2x3":                    "error",
		"huge=perhaps":                  "error",
		"spin=soon":                     "error",
		"kc=1:1000000:1":                "error",
		"kc=1:1000:1,nc=1:1000:1":       "error",
	} {
		axes, err := ParseAxes(text)
		got := list(axes, func(a Axis) string { return a.Name + "=" + strings.Join(a.Values, " ") + ";" })
		if err == nil && strings.TrimSuffix(got, ";") != want || err != nil && want != "error" {
			t.Errorf("%q is %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestGridFilesAreRead(t *testing.T) {
	axes, err := ReadAxes([]byte(`{"nc": [48, "96"], "kc": [256], "order": ["rows"], "huge": [true, false]}`))
	want := []Axis{{"huge", []string{"true", "false"}}, {"kc", []string{"256"}}, {"nc", []string{"48", "96"}}, {"order", []string{"rows"}}}
	if err != nil || !slices.EqualFunc(axes, want, func(a, b Axis) bool { return a.Name == b.Name && slices.Equal(a.Values, b.Values) }) {
		t.Errorf("%v, %v", axes, err)
	}
	for _, text := range []string{``, `[]`, `{"kc": 5}`, `{"kc": []}`, `{"kc": [{}]}`, `{"kc": [1.5]}`, `{"k": [1]}`, `{"kc": [null]}`} {
		if axes, err := ReadAxes([]byte(text)); err == nil {
			t.Errorf("%s is %v", text, axes)
		}
	}
}

func TestPointsOfAGrid(t *testing.T) {
	base := Choice{ISA: "avx2", MC: 8, KC: 1, NC: 2, Order: ByRows, Spin: time.Second}
	axes, err := ParseAxes("kc=10|20,tile=64|96x128,order=columns")
	if err != nil {
		t.Fatal(err)
	}
	points := Points(axes, base)
	if len(points) != 4 {
		t.Fatalf("%d points", len(points))
	}
	want := base
	want.KC, want.TileM, want.TileN, want.Order = 10, 96, 128, ByColumns
	if points[1] != want {
		t.Errorf("the second is %+v, want %+v", points[1], want)
	}
	if got := Points(nil, base); len(got) != 1 || got[0] != base {
		t.Errorf("no axes give %v", got)
	}
}

func FuzzAxes(f *testing.F) {
	f.Add("tile=64:2048:x2,kc=128:512:64")
	f.Add("order=rows|columns,huge=true,spin=1ms")
	f.Fuzz(func(t *testing.T, text string) {
		axes, err := ParseAxes(text)
		if err != nil {
			return
		}
		if n := len(Points(axes, Choice{})); n < 1 || n > maxPoints {
			t.Errorf("%q has %d points", text, n)
		}
	})
}
