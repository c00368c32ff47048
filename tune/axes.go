package tune

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Axis is one thing that may be chosen, and the values to try for it.
type Axis struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

// setters put a value of each axis into a choice.
var setters = map[string]func(c *Choice, v string) error{
	"isa": func(c *Choice, v string) error { c.ISA = v; return nil },
	"mc":  func(c *Choice, v string) error { return setInt(&c.MC, v) },
	"kc":  func(c *Choice, v string) error { return setInt(&c.KC, v) },
	"nc":  func(c *Choice, v string) error { return setInt(&c.NC, v) },
	"tile": func(c *Choice, v string) error {
		rows, cols, both := strings.Cut(v, "x")
		if !both {
			cols = rows
		}
		return firstOf(setInt(&c.TileM, rows), setInt(&c.TileN, cols))
	},
	"tasks": func(c *Choice, v string) error { return setInt(&c.Tasks, v) },
	"order": func(c *Choice, v string) error { c.Order = v; return nil },
	"huge": func(c *Choice, v string) (err error) {
		c.HugePages, err = strconv.ParseBool(v)
		return err
	},
	"spin": func(c *Choice, v string) (err error) {
		c.Spin, err = time.ParseDuration(v)
		return err
	},
}

func setInt[T int | int64](to *T, v string) error {
	n, err := strconv.ParseInt(v, 10, 32)
	*to = T(n)
	return err
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// ParseAxes reads a grid as --sweep takes it: axes with commas between them,
// each NAME=VALUES with NAME one of isa, mc, kc, nc, tile, tasks, order, huge
// and spin. VALUES are a range LOW:HIGH:STEP, one that multiplies,
// LOW:HIGH:xFACTOR, or alternatives with bars between them, as in
// order=rows|columns.
func ParseAxes(text string) ([]Axis, error) {
	var axes []Axis
	for part := range strings.SplitSeq(text, ",") {
		name, values, ok := strings.Cut(part, "=")
		if !ok {
			return nil, fmt.Errorf("%s: want NAME=VALUES", quote(part))
		}
		list, err := parseValues(values)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		axes = append(axes, Axis{name, list})
	}
	return axes, checkAxes(axes)
}

func parseValues(text string) ([]string, error) {
	ends := strings.Split(text, ":")
	if len(ends) == 1 {
		return strings.Split(text, "|"), nil
	}
	if len(ends) != 3 {
		return nil, fmt.Errorf("%s: want LOW:HIGH:STEP or LOW:HIGH:xFACTOR", quote(text))
	}
	factor := strings.HasPrefix(ends[2], "x")
	low, err1 := strconv.Atoi(ends[0])
	high, err2 := strconv.Atoi(ends[1])
	step, err3 := strconv.Atoi(strings.TrimPrefix(ends[2], "x"))
	if err := firstOf(firstOf(err1, err2), err3); err != nil {
		return nil, fmt.Errorf("%s: not numbers", quote(text))
	}
	if low < 1 || high < low || step < 1 || factor && step < 2 || high > 1<<30 {
		return nil, fmt.Errorf("%s: want 1 ≤ LOW ≤ HIGH and a STEP of at least 1, or xFACTOR of at least x2", quote(text))
	}
	var values []string
	for v := low; v <= high && len(values) <= maxPoints; {
		values = append(values, strconv.Itoa(v))
		if factor {
			v *= step
		} else {
			v += step
		}
	}
	return values, nil
}

// ReadAxes reads a grid as --grid takes it: a JSON object whose members are the
// axes, each with a list of numbers or strings.
func ReadAxes(data []byte) ([]Axis, error) {
	var members map[string][]any
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, fmt.Errorf("read grid: %w", err)
	}
	var axes []Axis
	for name, list := range members {
		a := Axis{Name: name}
		for _, v := range list {
			a.Values = append(a.Values, fmt.Sprint(v))
		}
		axes = append(axes, a)
	}
	slices.SortFunc(axes, func(a, b Axis) int { return strings.Compare(a.Name, b.Name) })
	return axes, checkAxes(axes)
}

// maxPoints bounds a grid.
const maxPoints = 100_000

func checkAxes(axes []Axis) error {
	points := 1
	for i, a := range axes {
		switch {
		case setters[a.Name] == nil:
			return fmt.Errorf("no axis %s: want isa, mc, kc, nc, tile, tasks, order, huge or spin", quote(a.Name))
		case slices.ContainsFunc(axes[:i], func(b Axis) bool { return b.Name == a.Name }):
			return fmt.Errorf("axis %s is there twice", a.Name)
		case len(a.Values) == 0:
			return fmt.Errorf("axis %s has no values", a.Name)
		}
		if points *= len(a.Values); points > maxPoints {
			return fmt.Errorf("more than %d points", maxPoints)
		}
		for _, v := range a.Values {
			if err := setters[a.Name](&Choice{}, v); err != nil {
				return fmt.Errorf("axis %s: %s makes no sense", a.Name, quote(v))
			}
		}
	}
	return nil
}

// Points returns every point of a grid, the last axis the fastest; what no axis
// names is as in base.
func Points(axes []Axis, base Choice) []Choice {
	points := []Choice{base}
	for _, a := range axes {
		var next []Choice
		for _, p := range points {
			for _, v := range a.Values {
				c := p
				_ = setters[a.Name](&c, v) // checkAxes has seen it
				next = append(next, c)
			}
		}
		points = next
	}
	return points
}
