package main

import (
	"fmt"
	"strconv"
	"strings"
)

// A pair is a turn of each, in seconds.
type pair struct {
	ours, theirs float64
	product      float64 // theirs without the start of Python and the import of NumPy
}

// compare times the pairs and prints them. Every other pair begins with NumPy.
// The turns off the clock bring the files into the page cache.
func (o options) compare(dir string) error {
	fmt.Printf("%-6s %9s %9s %9s %9s\n", "pair", "matmul", "NumPy", "ratio", "no start")
	var whole, product []float64
	for i := range o.reps {
		p, err := o.pair(dir, i%2 == 1)
		if err != nil {
			return err
		}
		whole, product = append(whole, p.ours/p.theirs), append(product, p.ours/p.product)
		fmt.Printf("%-6d %7.3f s %7.3f s %9.3f %9.3f\n", i+1, p.ours, p.theirs, p.ours/p.theirs, p.ours/p.product)
	}
	show("matmul run / NumPy", whole)
	show("matmul run / NumPy without its start and import", product)
	return nil
}

func show(what string, ratios []float64) {
	lower, upper := bounds(ratios)
	fmt.Printf("%s: median ratio %.3f, 95 %% bounds of the median %.3f and %.3f, %d pairs\n",
		what, median(ratios), lower, upper, len(ratios))
}

func (o options) pair(dir string, theirsFirst bool) (p pair, err error) {
	turns := []func(string, *pair) error{o.ourTurn, o.theirTurn}
	if theirsFirst {
		turns[0], turns[1] = turns[1], turns[0]
	}
	for _, turn := range turns {
		// Once off the clock: on a virtual machine, whose host takes back what
		// is free, a contender pays less for memory that was its own just now.
		for range 2 {
			if err = clean(dir); err == nil {
				err = turn(dir, &p)
			}
			if err != nil {
				return p, err
			}
		}
	}
	return p, nil
}

func (o options) ourTurn(dir string, p *pair) error {
	_, took, err := timed(o.ours(dir))
	p.ours = took.Seconds()
	return err
}

func (o options) theirTurn(dir string, p *pair) error {
	out, took, err := timed(o.theirs(dir))
	if err != nil {
		return err
	}
	p.theirs = took.Seconds()
	p.product, err = strconv.ParseFloat(strings.TrimSpace(out), 64)
	return err
}
