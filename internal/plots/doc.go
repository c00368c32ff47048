// Package plots draws what was measured: a heat map of speeds, curves against a
// size, a roofline, the cost of messages, timelines, and what flips of bits do. Pages are SVG or PNG, by the
// file's name.
//
// Contract: every axis has its unit, and every plot of speeds the limit. The
// command alone imports this package: whoever uses the library does not pay for
// gonum/plot and its fonts.
package plots
